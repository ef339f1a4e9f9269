package respapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/internal/binfmt"
)

// replyError is an error whose text goes to the client as it is, code first.
type replyError string

func (e replyError) Error() string { return string(e) }

// Texts that client libraries depend on.
const (
	errSyntax       replyError = "ERR syntax error"
	errNotInteger   replyError = "ERR value is not an integer or out of range"
	errNotFloat     replyError = "ERR value is not a valid float"
	errNotPositive  replyError = "ERR value is out of range, must be positive"
	errCursor       replyError = "ERR invalid cursor"
	errNoSuchKey    replyError = "ERR no such key"
	errDBRange      replyError = "ERR DB index is out of range"
	errNoAuth       replyError = "NOAUTH Authentication required."
	errWrongPass    replyError = "WRONGPASS invalid username-password pair or user is disabled."
	errNoPassword   replyError = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
	errNoProto      replyError = "NOPROTO unsupported protocol version"
	errHelloNoAuth  replyError = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errExecAbort    replyError = "EXECABORT Transaction discarded because of previous errors."
	errNestedMulti  replyError = "ERR MULTI calls can not be nested"
	errWatchInMulti replyError = "ERR WATCH inside MULTI is not allowed"
	errInMulti      replyError = "ERR Command not allowed inside a transaction"
	errExecBytes    replyError = "ERR transaction exceeds 512 MiB"
	errMaxClients   replyError = "ERR max number of clients reached"
	errNotCluster   replyError = "ERR This instance has cluster support disabled"
	errInternal     replyError = "ERR internal error"
)

func errArity(name string) error {
	return replyError("ERR wrong number of arguments for '" + name + "' command")
}

func errUnknownCommand(args [][]byte) error {
	var sb strings.Builder
	fmt.Fprintf(&sb, "ERR unknown command '%s', with args beginning with: ", shorten(args[0], 128))
	for _, a := range args[1:] {
		if sb.Len() > 256 {
			break
		}
		fmt.Fprintf(&sb, "'%s' ", shorten(a, 128))
	}
	return replyError(sb.String())
}

func errUnknownSub(container string, sub []byte) error {
	return replyError(fmt.Sprintf("ERR unknown subcommand '%s'. Try %s HELP.", shorten(sub, 128), strings.ToUpper(container)))
}

func errNoPerm(name string) error {
	return replyError("NOPERM User default has no permissions to run the '" + name + "' command")
}

func shorten(b []byte, n int) []byte { return b[:min(len(b), n)] }

// errorText is the one table from errors to what the client is told.
func errorText(err error) string {
	var reply replyError
	var corrupt *binfmt.CorruptError
	switch {
	case errors.As(err, &reply):
		return string(reply)
	case errors.Is(err, engine.ErrReadOnly), errors.Is(err, syscall.ENOSPC):
		return "MISCONF Errors writing to disk: " + rootText(err)
	case errors.Is(err, engine.ErrClosed):
		return "LOADING Redis is loading the dataset in memory"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "ERR Timeout limit was reached"
	case errors.As(err, &corrupt):
		return "ERR damaged data: " + corrupt.Err.Error()
	}
	text := rootText(err)
	if hasCode(text) {
		return text
	}
	return "ERR " + text
}

// rootText is the text of err without the package that said it.
func rootText(err error) string {
	return strings.TrimPrefix(err.Error(), "engine: ")
}

// hasCode says whether text begins with an error code, a word in capitals.
func hasCode(text string) bool {
	code, _, ok := strings.Cut(text, " ")
	if !ok || code == "" {
		return false
	}
	for i := range len(code) {
		if c := code[i]; c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}
