package loader

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxConfig limits config files; the largest published ones hold some hundred kilobytes.
const maxConfig = 16 << 20

// Fields reads one JSON object key by key. Faults are sticky: a getter that meets one notes it and returns a harmless
// value, and Err gives all of them at the end. A null counts as absent. Not safe for concurrent use.
type Fields struct {
	file   string
	path   string // of this object inside the file: "rope_scaling."
	keys   []string
	values map[string]json.RawMessage
	faults *Faults // shared with the objects inside
}

// ParseFields reads a JSON object; file is for messages. The Fields keep views of data. Duplicate keys are refused at
// every depth. Python's NaN and Infinity pass here and are refused by the getter that meets them. Errors: [ErrConfig].
func ParseFields(file string, data []byte) (*Fields, error) {
	f := &Fields{file: file, values: map[string]json.RawMessage{}, faults: new(Faults)}
	if len(data) > maxConfig {
		f.Fail("", fmt.Sprintf("at most %d bytes", maxConfig), fmt.Sprint(len(data)))
		return nil, f.Err()
	}
	err := scanObject(data, func(s *scan, key string) error {
		v, err := s.value()
		f.keys = append(f.keys, key)
		f.values[key] = v
		return err
	})
	if err != nil {
		return nil, &Fault{Kind: ErrConfig, File: file, Found: err.Error()}
	}
	return f, nil
}

// fresh is the same object with no faults yet.
func (f *Fields) fresh() *Fields {
	c := *f
	c.faults = new(Faults)
	return &c
}

// Keys lists the keys in the order of the file, absent ones (null) included.
func (f *Fields) Keys() []string { return slices.Clone(f.keys) }

// Raw is the JSON text of a value, nil where the key is not there. It is a view of the file's bytes.
func (f *Fields) Raw(key string) json.RawMessage { return f.values[key] }

// Has says whether the key is there and not null.
func (f *Fields) Has(key string) bool { return f.get(key) != nil }

func (f *Fields) get(key string) json.RawMessage {
	if raw := f.values[key]; !bytes.Equal(raw, []byte("null")) {
		return raw
	}
	return nil
}

// Fail notes a fault at key: what was wanted, and what was found. Without found, the value in the file is quoted.
func (f *Fields) Fail(key, want string, found ...string) {
	got := strings.Join(found, " ")
	if len(found) == 0 {
		got = f.quote(key)
	}
	*f.faults = append(*f.faults, &Fault{Kind: ErrConfig, File: f.file, Field: f.path + key, Want: want, Found: got})
}

func (f *Fields) quote(key string) string {
	if raw := f.values[key]; raw != nil {
		return short(raw)
	}
	return "nothing"
}

func short(raw []byte) string {
	const most = 60
	if len(raw) > most {
		return string(bytes.ToValidUTF8(raw[:most], nil)) + "…"
	}
	return string(raw)
}

// Err is nil or every fault so far, those of inner objects included, as one error: a [Fault] or [Faults].
func (f *Fields) Err() error { return slices.Clone(*f.faults).err() }

// Object is the object at key, nil where absent. It shares the sticky faults; they name the whole key path.
func (f *Fields) Object(key string) *Fields {
	raw := f.get(key)
	if raw == nil {
		return nil
	}
	o, err := ParseFields(f.file, raw)
	if err != nil {
		f.Fail(key, "an object")
		return nil
	}
	o.path, o.faults = f.path+key+".", f.faults
	return o
}

// Int is the integer at key, which must be there and in [least, most]; 3.0 counts as 3. On a fault it returns least.
func (f *Fields) Int(key string, least, most int) int {
	n, ok := intOf(f.get(key))
	if !ok || n < least || n > most {
		f.Fail(key, fmt.Sprintf("an integer from %d to %d", least, most))
		return least
	}
	return n
}

// IntOr is Int, or def where the key is absent. def need not lie in [least, most].
func (f *Fields) IntOr(key string, def, least, most int) int {
	if !f.Has(key) {
		return def
	}
	return f.Int(key, least, most)
}

// Float is the finite number at key, which must be there. On a fault it returns 0.
func (f *Fields) Float(key string) float64 {
	v, ok := floatOf(f.get(key))
	if !ok {
		f.Fail(key, "a finite number")
	}
	return v
}

// FloatOr is Float, or def where the key is absent.
func (f *Fields) FloatOr(key string, def float64) float64 {
	if !f.Has(key) {
		return def
	}
	return f.Float(key)
}

// Bool is the truth value at key, which must be there. On a fault it returns false.
func (f *Fields) Bool(key string) bool {
	v, ok := boolOf(f.get(key))
	if !ok {
		f.Fail(key, "true or false")
	}
	return v
}

// BoolOr is Bool, or def where the key is absent.
func (f *Fields) BoolOr(key string, def bool) bool {
	if !f.Has(key) {
		return def
	}
	return f.Bool(key)
}

// String is the string at key, which must be there. On a fault it returns "".
func (f *Fields) String(key string) string {
	v, ok := stringOf(f.get(key))
	if !ok {
		f.Fail(key, "a string")
	}
	return v
}

// StringOr is String, or def where the key is absent.
func (f *Fields) StringOr(key, def string) string {
	if !f.Has(key) {
		return def
	}
	return f.String(key)
}

func intOf(raw json.RawMessage) (int, bool) {
	if n, err := strconv.ParseInt(string(raw), 10, strconv.IntSize); err == nil {
		return int(n), true
	}
	v, ok := floatOf(raw)
	if !ok || v != math.Trunc(v) || math.Abs(v) > 1<<53 || int64(int(v)) != int64(v) {
		return 0, false
	}
	return int(v), true
}

func floatOf(raw json.RawMessage) (float64, bool) {
	if !isNumber(raw) {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	return v, err == nil
}

func boolOf(raw json.RawMessage) (bool, bool) {
	s := string(raw)
	return s == "true", s == "true" || s == "false"
}

func stringOf(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	s, err := (&scan{data: raw}).str()
	return s, err == nil
}
