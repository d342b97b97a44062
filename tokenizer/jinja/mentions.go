package jinja

import "reflect"

// mentions reports whether a name is read anywhere in b: a macro that never reads varargs or kwargs refuses
// arguments it has no parameter for.
func mentions(b block, id string) bool { return reads(reflect.ValueOf(b), id) }

func reads(v reflect.Value, id string) bool {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return !v.IsNil() && reads(v.Elem(), id)
	case reflect.Slice:
		for i := range v.Len() {
			if reads(v.Index(i), id) {
				return true
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[name]() {
			return v.Field(0).String() == id
		}
		for i := range v.NumField() {
			if reads(v.Field(i), id) {
				return true
			}
		}
	}
	return false
}
