package upstream

import (
	"fmt"
	"strings"
	"time"
)

// Kind is what went wrong.
type Kind string

// The kinds.
const (
	Timeout     Kind = "timeout"
	Refused     Kind = "refused" // no connection
	RateLimited Kind = "rate_limited"
	ServerError Kind = "server_error"  // status 408 or 5xx, or an error event in a stream
	Rejected    Kind = "rejected"      // another status of 400 to 499, or a request that cannot be sent
	Broken      Kind = "broken_stream" // an answer that ended before its end
	BadAnswer   Kind = "bad_answer"    // not the API's JSON
	TooLarge    Kind = "too_large"
	Redirected  Kind = "redirected" // to another host, or with another method
	Cooling     Kind = "cooling"    // skipped after failures; nothing was sent
	Canceled    Kind = "canceled"   // by the caller
	NotCleared  Kind = "not_cleared"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{Timeout, Refused, RateLimited, ServerError, Rejected, Broken, BadAnswer, TooLarge, Redirected, Cooling, Canceled, NotCleared}
}

// Stage is what was waited for when the time was out.
type Stage string

// The stages.
const (
	StageConnect Stage = "connect"
	StageFirst   Stage = "first_byte"
	StageBetween Stage = "between_events"
	StageTotal   Stage = "total"
)

// Error is the failure of a call. Its message holds no key and no text of the prompt, of the answer or of the upstream.
type Error struct {
	Upstream   string
	Kind       Kind
	Stage      Stage         // of a Timeout
	Status     int           // HTTP; 0: there was no answer
	Code       string        // of the API's error, where it is a plain word
	RetryAfter time.Duration // that the upstream asked for
	Attempts   int
	Sent       bool   // something may have reached the upstream
	Charged    bool   // the upstream may charge for it
	Events     int    // received before it broke
	Received   string // text of the first choice received before it broke, at most 1 MiB

	err error // the caller's context
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "upstream %s: %s", e.Upstream, e.Kind)
	if e.Stage != "" {
		fmt.Fprintf(&b, " (%s)", e.Stage)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ", status %d", e.Status)
	}
	if e.Code != "" {
		fmt.Fprintf(&b, " %s", e.Code)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, ", retry after %v", e.RetryAfter)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, ", %d attempts", e.Attempts)
	}
	if e.Events > 0 {
		fmt.Fprintf(&b, ", after %d events", e.Events)
	}
	return b.String()
}

// Unwrap is the error of the caller's context where that ended the call.
func (e *Error) Unwrap() error { return e.err }

// again says whether another attempt may be made: the upstream cannot have charged for this one.
func (e *Error) again() bool {
	switch e.Kind {
	case Refused, RateLimited:
		return true
	case ServerError:
		return e.Status != 501 && e.Status != 505 && e.Events == 0 && e.Status != 200
	case Broken:
		return e.Status == 0
	case Timeout:
		return e.Stage == StageConnect
	}
	return false
}

// counts says whether the failure is the upstream's: it is no cause for a cooldown that a caller left or sent nonsense.
func (e *Error) counts() bool {
	switch e.Kind {
	case Canceled, Cooling, NotCleared:
		return false
	case Rejected:
		return e.Status == 401 || e.Status == 402 || e.Status == 403 || e.Status == 404
	}
	return true
}
