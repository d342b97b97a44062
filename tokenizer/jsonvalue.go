package tokenizer

import "strconv"

type jsonKind uint8

const (
	jsonMissing jsonKind = iota
	jsonNull
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is a parsed value of the small parts of tokenizer.json. The zero value stands for a missing field.
type jsonValue struct {
	kind jsonKind
	text string // of a string or number
	flag bool
	list []jsonValue
	keys []string // of an object, beside list
}

// value reads one value as a tree.
func (r *jsonReader) value() (jsonValue, error) {
	switch c := r.peek(); c {
	case '{':
		v := jsonValue{kind: jsonObject}
		err := r.object(func(key string) error {
			m, err := r.value()
			v.keys, v.list = append(v.keys, key), append(v.list, m)
			return err
		})
		return v, err
	case '[':
		v := jsonValue{kind: jsonArray}
		err := r.array(func() error {
			m, err := r.value()
			v.list = append(v.list, m)
			return err
		})
		return v, err
	case '"':
		s, err := r.str()
		return jsonValue{kind: jsonString, text: s}, err
	case 't':
		return jsonValue{kind: jsonBool, flag: true}, r.word("true")
	case 'f':
		return jsonValue{kind: jsonBool}, r.word("false")
	case 'n':
		return jsonValue{kind: jsonNull}, r.word("null")
	default:
		s, err := r.number()
		if err == nil {
			if _, perr := strconv.ParseFloat(s, 64); perr != nil {
				err = r.errorf("bad number")
			}
		}
		return jsonValue{kind: jsonNumber, text: s}, err
	}
}

// get returns a member of an object; of equal keys the last counts.
func (v jsonValue) get(key string) jsonValue {
	for i := len(v.keys) - 1; i >= 0; i-- {
		if v.keys[i] == key {
			return v.list[i]
		}
	}
	return jsonValue{}
}

// absent reports a missing or null value.
func (v jsonValue) absent() bool { return v.kind <= jsonNull }

// field reads typed members of one object and keeps the first error, so that a component is read without
// an error check on each line.
type field struct {
	of  string // name of the object, for errors
	obj jsonValue
	err error
}

func (f *field) fail(key, want string) {
	if f.err == nil {
		f.err = badf("%s.%s: want %s", f.of, key, want)
	}
}

func (f *field) string(key string) string {
	v := f.obj.get(key)
	if v.kind != jsonString {
		f.fail(key, "a string")
	}
	return v.text
}

// optString returns "" for a missing or null member.
func (f *field) optString(key string) string {
	if f.obj.get(key).absent() {
		return ""
	}
	return f.string(key)
}

func (f *field) bool(key string) bool {
	v := f.obj.get(key)
	if v.kind != jsonBool {
		f.fail(key, "true or false")
	}
	return v.flag
}

func (f *field) optBool(key string, otherwise bool) bool {
	if f.obj.get(key).absent() {
		return otherwise
	}
	return f.bool(key)
}

// size reads a whole number ≥ 0 below 2^31.
func (f *field) size(key string) int {
	v := f.obj.get(key)
	n, err := strconv.ParseUint(v.text, 10, 31)
	if v.kind != jsonNumber || err != nil {
		f.fail(key, "a whole number from 0 to 2^31-1")
		return 0
	}
	return int(n)
}

// rune reads a string of exactly one character.
func (f *field) rune(key string) rune {
	rs := []rune(f.string(key))
	if len(rs) != 1 {
		f.fail(key, "one character")
		return 0
	}
	return rs[0]
}

func (f *field) array(key string) []jsonValue {
	v := f.obj.get(key)
	if v.kind != jsonArray {
		f.fail(key, "a list")
	}
	return v.list
}
