package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/route/policy"
	"github.com/seed2fbf7788/switchyard/route/upstream"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// apiError is an error as the API tells it.
type apiError struct {
	status     int
	retryAfter int // seconds; 0: none
	Message    string
	Type       string
	Param      string
	Code       string
}

func (e *apiError) Error() string { return e.Message }

// MarshalJSON writes {"message","type","param","code"}, null for what is empty.
func (e *apiError) MarshalJSON() ([]byte, error) {
	null := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	return json.Marshal(struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Param   any    `json:"param"`
		Code    any    `json:"code"`
	}{e.Message, e.Type, null(e.Param), null(e.Code)})
}

const typeInvalid = "invalid_request_error"

// badRequest is a 400 about one parameter.
func badRequest(param, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, Type: typeInvalid, Param: param, Message: fmt.Sprintf(format, args...)}
}

func unsupported(param, format string, args ...any) *apiError {
	e := badRequest(param, format, args...)
	e.Code = "unsupported_parameter"
	return e
}

func unknownModel(name string) *apiError {
	return &apiError{status: http.StatusNotFound, Type: typeInvalid, Param: "model", Code: "model_not_found",
		Message: fmt.Sprintf("The model %q does not exist.", clip(name, 200))}
}

// clip bounds what of a client's text an answer repeats.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// asAPI turns what the library returns into what the API tells.
func asAPI(err error) *apiError {
	var api *apiError
	if errors.As(err, &api) {
		return api
	}
	var up *upstream.Error
	if errors.As(err, &up) {
		return fromUpstream(up)
	}
	switch {
	case errors.Is(err, policy.ErrNoModel):
		return &apiError{status: http.StatusServiceUnavailable, retryAfter: 5, Type: "overloaded_error", Code: "no_model", Message: "No model may answer this request: " + err.Error() + "."}
	case errors.Is(err, engine.ErrBusy):
		return &apiError{status: http.StatusServiceUnavailable, retryAfter: 1, Type: "overloaded_error", Code: "queue_full", Message: "The server has as many requests as it can queue. Try again later."}
	case errors.Is(err, engine.ErrDraining), errors.Is(err, model.ErrClosed):
		return &apiError{status: http.StatusServiceUnavailable, retryAfter: 5, Type: "overloaded_error", Code: "shutting_down", Message: "The server is shutting down."}
	case errors.Is(err, model.ErrContext), errors.Is(err, engine.ErrMemory):
		e := badRequest("messages", "%v", err)
		e.Code = "context_length_exceeded"
		return e
	case errors.Is(err, model.ErrPrompt), errors.Is(err, model.ErrToken), errors.Is(err, model.ErrOption), errors.Is(err, moe.ErrGate):
		return badRequest("", "%v", err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &apiError{status: 499, Type: "request_cancelled", Message: "The client went away."}
	}
	return &apiError{status: http.StatusInternalServerError, Type: "server_error", Message: "The server failed: " + err.Error()}
}

// fromUpstream tells that a model elsewhere failed. The error holds neither its key nor any text.
func fromUpstream(e *upstream.Error) *apiError {
	out := &apiError{status: http.StatusBadGateway, Type: "upstream_error", Code: string(e.Kind), Message: "The model elsewhere failed: " + e.Error() + "."}
	switch e.Kind {
	case upstream.Timeout:
		out.status = http.StatusGatewayTimeout
	case upstream.RateLimited:
		out.status = http.StatusTooManyRequests
	case upstream.Cooling:
		out.status = http.StatusServiceUnavailable
	case upstream.Canceled:
		out.status = 499
	}
	if e.RetryAfter > 0 {
		out.retryAfter = int(e.RetryAfter.Seconds()) + 1
	}
	return out
}

// writeError answers with an error. Nothing must have been written.
func writeError(w http.ResponseWriter, err error) {
	e := asAPI(err)
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, e.status, map[string]any{"error": e})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil { // values of ours: a fault of the program
		status, data = http.StatusInternalServerError, []byte(`{"error":{"message":"The server failed to write its answer.","type":"server_error","param":null,"code":null}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)+1))
	w.WriteHeader(status)
	w.Write(append(data, '\n'))
}
