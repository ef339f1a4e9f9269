package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// validator is a body that can be of the right form and still be wrong.
type validator interface{ validate(v *violations) }

// bodyOptions: duplicate names and data after the value are errors, which is the default;
// depth is bounded to 10 000 by the decoder.
var bodyOptions = json.JoinOptions(jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false))

// decode reads a body into v and validates it.
func decode(body []byte, v any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return formatError("EOF while parsing a value at line 1 column 0")
	}
	if plain, ok := v.(scannable); ok && plain.scan(body) {
		return validated(v)
	}
	if err := json.Unmarshal(body, v, bodyOptions); err != nil {
		var api *apiError
		if errors.As(err, &api) {
			return api
		}
		return formatError("%s", describe(err))
	}
	return validated(v)
}

func validated(v any) error {
	if d, ok := v.(validator); ok {
		var found violations
		d.validate(&found)
		return found.err("JSON body")
	}
	return nil
}

// describe words a decoder's error without the names of Go types.
func describe(err error) string {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return strings.TrimPrefix(err.Error(), "jsontext: ")
	}
	where := fieldPath(string(semantic.JSONPointer))
	var text string
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(semantic.Err, &syntactic):
		return strings.TrimPrefix(syntactic.Error(), "jsontext: ")
	case semantic.Err != nil && !errors.Is(semantic.Err, strconv.ErrRange) && !errors.Is(semantic.Err, strconv.ErrSyntax):
		text = semantic.Err.Error()
	case len(semantic.JSONValue) > 0:
		text = fmt.Sprintf("invalid value: %s, expected %s", clip(string(semantic.JSONValue)), expected(semantic.GoType))
	default:
		text = fmt.Sprintf("invalid type: %s, expected %s", kindName(semantic.JSONKind), expected(semantic.GoType))
	}
	if where == "" || strings.HasPrefix(text, "[") {
		return where + text
	}
	return where + ": " + text
}

// fieldPath turns a JSON pointer into the form of field paths: points[0].vector.
func fieldPath(pointer string) string {
	var b strings.Builder
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		switch {
		case part == "":
		case strings.Trim(part, "0123456789") == "":
			b.WriteString("[" + part + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
	}
	return clip(b.String())
}

func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '{':
		return "map"
	case '[':
		return "sequence"
	}
	return "end of input"
}

func expected(t reflect.Type) string {
	if t == nil {
		return "another type"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return expected(t.Elem())
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a sequence"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an unsigned integer"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "an integer"
	}
	return "a map"
}

// buffers are kept between requests unless they have grown large.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keptBufferBytes = 4 << 20

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= keptBufferBytes {
		b.Reset()
		buffers.Put(b)
	}
}

// A body may take bodyTime plus its length at the slowest rate served.
const (
	bodyTime     = 30 * time.Second
	slowestBytes = 64 << 10 // a second
)

// readBody reads at most limit bytes; the buffer belongs to the caller.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (*bytes.Buffer, error) {
	tooLarge := formatError("JSON payload is larger than allowed (limit: %d bytes)", limit)
	expect := limit
	if r.ContentLength >= 0 {
		expect = r.ContentLength
	}
	if expect > limit {
		w.Header().Set("Connection", "close")
		return nil, tooLarge
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime + time.Duration(expect)*time.Second/slowestBytes))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }() // reaching it later would cancel the request
	buf := buffers.Get().(*bytes.Buffer)
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, 1<<20)) + bytes.MinRead)
	}
	n, err := io.Copy(buf, io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		putBuffer(buf)
		return nil, formatError("the body ends early: %v", err)
	case n > limit:
		w.Header().Set("Connection", "close")
		putBuffer(buf)
		return nil, tooLarge
	}
	return buf, nil
}
