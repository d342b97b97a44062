package loader

import (
	"encoding/json"
	"fmt"
)

// Ints is the list of integers at key, nil where absent. On a fault it returns nil.
func (f *Fields) Ints(key string) []int { return listOf(f, key, "a list of integers", intOf) }

// Floats is the list of finite numbers at key, nil where absent. On a fault it returns nil.
func (f *Fields) Floats(key string) []float64 {
	return listOf(f, key, "a list of finite numbers", floatOf)
}

// Bools is the list of truth values at key, nil where absent. On a fault it returns nil.
func (f *Fields) Bools(key string) []bool {
	return listOf(f, key, "a list of true and false", boolOf)
}

// Strings is the list of strings at key, nil where absent. On a fault it returns nil.
func (f *Fields) Strings(key string) []string { return listOf(f, key, "a list of strings", stringOf) }

// IntsOrInt is Ints where one integer may stand for a list of one, as in eos_token_id.
func (f *Fields) IntsOrInt(key string) []int {
	if n, ok := intOf(f.get(key)); ok {
		return []int{n}
	}
	return listOf(f, key, "an integer or a list of integers", intOf)
}

func listOf[T any](f *Fields, key, want string, of func(json.RawMessage) (T, bool)) []T {
	raw := f.get(key)
	if raw == nil {
		return nil
	}
	list, ok := []T{}, raw[0] == '['
	s := &scan{data: raw}
	if ok {
		ok = s.array(func() error {
			v, err := s.value()
			one, good := of(v)
			if err == nil && !good {
				err = ErrConfig
			}
			list = append(list, one)
			return err
		}) == nil
	}
	if !ok {
		f.Fail(key, want)
		return nil
	}
	return list
}

// Objects is the list of objects at key, nil where absent; they share the sticky faults. On a fault it returns nil.
func (f *Fields) Objects(key string) []*Fields {
	at := -1
	return listOf(f, key, "a list of objects", func(raw json.RawMessage) (*Fields, bool) {
		at++
		o, err := ParseFields(f.file, raw)
		if err != nil {
			return nil, false
		}
		o.path, o.faults = fmt.Sprintf("%s%s[%d].", f.path, key, at), f.faults
		return o, true
	})
}
