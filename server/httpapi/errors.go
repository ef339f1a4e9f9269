package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/server/service"
)

// apiError is an answer that is not a result. text includes the prefix that clients compare.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

// Constructors, one for each prefix.

func formatError(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, "Format error in JSON body: " + fmt.Sprintf(format, args...)}
}

func queryFormatError(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, "Deserialize error in query parameters: " + fmt.Sprintf(format, args...)}
}

func wrongInput(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, "Wrong input: " + fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, "Bad request: " + fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &apiError{http.StatusNotFound, "Not found: " + fmt.Sprintf(format, args...)}
}

func forbidden(format string, args ...any) error {
	return &apiError{http.StatusForbidden, "Forbidden: " + fmt.Sprintf(format, args...)}
}

// unsupported refuses what Isobath does not do yet; it never pretends.
func unsupported(what string) error { return badRequest("%s not supported yet", what) }

var errStandalone = &apiError{http.StatusMethodNotAllowed, "Qdrant is running in standalone mode"}

// violations collects what is wrong with a request that has the right form.
type violations struct{ list []string }

func (v *violations) add(field, format string, args ...any) {
	v.list = append(v.list, field+": "+fmt.Sprintf(format, args...))
}

// atLeast, atMost and between check optional numbers.
func atLeast[N uint64 | float64](v *violations, field string, n *N, low N) {
	if n != nil && *n < low {
		v.add(field, "value %s invalid, must be %s or larger", number(*n), number(low))
	}
}

func atMost[N uint64 | float64](v *violations, field string, n *N, high N) {
	if n != nil && *n > high {
		v.add(field, "value %s invalid, must be %s or smaller", number(*n), number(high))
	}
}

func between[N uint64 | float64](v *violations, field string, n *N, low, high N) {
	if n != nil && (*n < low || *n > high) {
		v.add(field, "value %s invalid, must be from %s to %s", number(*n), number(low), number(high))
	}
}

// number writes floats with a fraction, as clients know them.
func number[N uint64 | float64](n N) string {
	text := fmt.Sprint(n)
	if _, float := any(n).(float64); float && !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// err returns the error for a part of the request: "JSON body", "query parameters", "path
// parameters"; nil when nothing is wrong.
func (v *violations) err(part string) error {
	if len(v.list) == 0 {
		return nil
	}
	return &apiError{http.StatusUnprocessableEntity, fmt.Sprintf("Validation error in %s: [%s]", part, strings.Join(v.list, "; "))}
}

// toAPI is the only way from an error to status and text.
func toAPI(err error) *apiError {
	var (
		api       *apiError
		fault     *service.Error
		missing   *engine.NotFoundError
		taken     *engine.ExistsError
		name      *engine.VectorNameError
		dimension *engine.DimensionError
		input     *engine.InputError
		expr      *filter.ExprError
	)
	status, text := http.StatusInternalServerError, "Service internal error: "+err.Error()
	switch {
	case errors.As(err, &api):
		return api
	case errors.As(err, &fault):
		status, text = faultText(fault)
	case errors.As(err, &missing):
		status, text = http.StatusNotFound, "Not found: "+missingText(missing)
	case errors.As(err, &taken):
		status, text = takenText(taken)
	case errors.As(err, &name):
		status, text = http.StatusBadRequest, "Wrong input: Not existing vector name error: "+name.Name
	case errors.As(err, &dimension):
		status, text = http.StatusBadRequest, fmt.Sprintf("Wrong input: Vector dimension error: expected dim: %d, got %d", dimension.Want, dimension.Got)
		if dimension.Name != "" {
			text += fmt.Sprintf(" for vector '%s'", dimension.Name)
		}
	case errors.As(err, &input):
		status, text = http.StatusBadRequest, "Wrong input: "+err.Error()
	case errors.As(err, &expr):
		status, text = http.StatusBadRequest, "Wrong input: "+expr.Error()
	case errors.Is(err, filter.ErrNoField): // dropped since the request was checked
		status, text = http.StatusBadRequest, "Bad request: "+err.Error()
	case errors.Is(err, engine.ErrLimit):
		status, text = http.StatusBadRequest, "Wrong input: "+strings.TrimPrefix(err.Error(), "engine: ")
	case errors.Is(err, engine.ErrFTRequest):
		status, text = http.StatusBadRequest, "Bad request: the collection is an index over keys; change the keys over RESP instead"
	case errors.Is(err, engine.ErrDropped):
		status, text = http.StatusNotFound, "Not found: the collection was dropped meanwhile"
	case errors.Is(err, context.DeadlineExceeded):
		status, text = http.StatusRequestTimeout, "Timeout: the operation took longer than its timeout"
	case errors.Is(err, context.Canceled):
		status, text = statusClientGone, "Cancelled: the client went away"
	case errors.Is(err, service.ErrLoading), errors.Is(err, engine.ErrClosed):
		status, text = http.StatusServiceUnavailable, "Service internal error: the database is loading or closing"
	case errors.Is(err, syscall.ENOSPC):
		status, text = http.StatusInsufficientStorage, "Insufficient storage: "+err.Error()
	case errors.Is(err, fs.ErrNotExist):
		status, text = http.StatusInternalServerError, "Service internal error: a file of the database is missing"
	}
	return &apiError{status, text}
}

// statusClientGone goes into logs and metrics only: nobody reads that answer.
const statusClientGone = 499

func faultText(e *service.Error) (int, string) {
	switch e.Kind {
	case service.NotFound:
		return http.StatusNotFound, "Not found: " + e.Text
	case service.BadRequest:
		return http.StatusBadRequest, "Bad request: " + e.Text
	}
	return http.StatusBadRequest, "Wrong input: " + e.Text
}

func missingText(e *engine.NotFoundError) string {
	switch e.Kind {
	case "point":
		return fmt.Sprintf("No point with id %s found", e.Name)
	case "alias":
		return fmt.Sprintf("Alias %s does not exists!", e.Name)
	}
	return fmt.Sprintf("Collection `%s` doesn't exist!", e.Name)
}

func takenText(e *engine.ExistsError) (int, string) {
	if e.Kind == "alias" {
		return http.StatusBadRequest, fmt.Sprintf("Wrong input: Can't create collection with name %s. Alias with the same name already exists", e.Name)
	}
	return http.StatusConflict, fmt.Sprintf("Wrong input: Collection `%s` already exists!", e.Name)
}
