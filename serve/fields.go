package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// fields decodes the members of a request body one by one, so that an error names its parameter. The first error stays;
// what follows it reads as absent. null is absent everywhere.
type fields struct {
	raw  map[string]json.RawMessage
	used map[string]bool
	err  *apiError
	path string // prefix of names in errors
	data []byte // the whole body
}

// readBody reads a JSON object within the limit of bytes; its time is that of [Server.bodyInTime].
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (*fields, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		w.Header().Set("Connection", "close") // else net/http waits for the rest before it answers
	} else {
		http.NewResponseController(w).SetReadDeadline(time.Time{}) // streams may last
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &apiError{status: http.StatusRequestEntityTooLarge, Type: typeInvalid, Code: "body_too_large", Message: "The request body is larger than the server takes."}
	case err != nil:
		return nil, &apiError{status: http.StatusRequestTimeout, Type: typeInvalid, Message: "The request body did not arrive: " + err.Error()}
	}
	return parseFields(data)
}

// bodyInTime gives every body a deadline, also those that nobody reads, as behind a wrong key: net/http reads what is left of
// them before it answers.
func (s *Server) bodyInTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.opts.BodyTimeout)) // a writer of a test has none
		}
		next.ServeHTTP(w, r)
	})
}

func parseFields(data []byte) (*fields, error) {
	f := &fields{used: map[string]bool{}, data: data}
	if err := json.Unmarshal(data, &f.raw); err != nil {
		return nil, badRequest("", "We could not parse the JSON body of your request: %v", err)
	}
	if f.raw == nil {
		return nil, badRequest("", "The body must be a JSON object.")
	}
	return f, nil
}

// sub reads an object below a name.
func (f *fields) sub(name string) (*fields, bool) {
	data, ok := f.get(name)
	if !ok {
		return nil, false
	}
	g := &fields{used: map[string]bool{}, path: f.path + name + "."}
	if err := json.Unmarshal(data, &g.raw); err != nil || g.raw == nil {
		f.bad(name, "want an object")
		return nil, false
	}
	return g, true
}

func (f *fields) get(name string) (json.RawMessage, bool) {
	f.used[name] = true
	v, ok := f.raw[name]
	if !ok || f.err != nil || bytes.Equal(v, []byte("null")) {
		return nil, false
	}
	return v, true
}

func (f *fields) has(name string) bool {
	v, ok := f.raw[name]
	return ok && !bytes.Equal(v, []byte("null"))
}

func (f *fields) bad(name, format string, args ...any) {
	if f.err == nil {
		f.err = badRequest(f.path+name, "Invalid value for '"+f.path+name+"': "+format+".", args...)
	}
}

func (f *fields) fail(err *apiError) {
	if f.err == nil {
		f.err = err
	}
}

// decode reads any JSON value.
func (f *fields) decode(name, want string, v any) bool {
	data, ok := f.get(name)
	if !ok {
		return false
	}
	if err := json.Unmarshal(data, v); err != nil {
		f.bad(name, "want %s", want)
		return false
	}
	return true
}

func (f *fields) str(name, def string) string {
	f.decode(name, "a string", &def)
	return def
}

func (f *fields) bool(name string, def bool) bool {
	f.decode(name, "true or false", &def)
	return def
}

// float reads a number within [lo, hi].
func (f *fields) float(name string, def, lo, hi float64) float64 {
	v := def
	if !f.decode(name, "a number", &v) {
		return def
	}
	if !(v >= lo && v <= hi) {
		f.bad(name, "want a number from %g to %g, found %g", lo, hi, v)
		return def
	}
	return v
}

// int reads a whole number within [lo, hi]; 5.0 is one.
func (f *fields) int(name string, def, lo, hi int64) int64 {
	data, ok := f.get(name)
	if !ok {
		return def
	}
	var n int64
	if json.Unmarshal(data, &n) != nil {
		var x float64
		if json.Unmarshal(data, &x) != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
			f.bad(name, "want a whole number")
			return def
		}
		n = int64(x)
	}
	if n < lo || n > hi {
		f.bad(name, "want a whole number from %d to %d, found %d", lo, hi, n)
		return def
	}
	return n
}

// ignore marks parameters that change nothing here and that OpenAI takes too.
func (f *fields) ignore(names ...string) {
	for _, n := range names {
		f.used[n] = true
	}
}

// refuse answers 400 where a parameter that is known and not supported is set.
func (f *fields) refuse(names ...string) {
	for _, n := range names {
		f.used[n] = true
		if f.has(n) {
			f.fail(unsupported(f.path+n, "Unsupported parameter: '%s' is not supported by this server.", f.path+n))
		}
	}
}

// done gives the first error; a parameter that nobody asked for is one.
func (f *fields) done() error {
	if f.err != nil {
		return f.err
	}
	var unknown []string
	for name := range f.raw {
		if !f.used[name] {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	name := f.path + clip(unknown[0], 100)
	e := badRequest(name, "Unrecognized request argument supplied: %s", strings.ToValidUTF8(name, "?"))
	e.Code = "unknown_parameter"
	return e
}
