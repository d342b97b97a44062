package loader_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
)

func fields(t testing.TB, text string) *loader.Fields {
	f, err := loader.ParseFields("config.json", []byte(text))
	require.NoError(t, err)
	return f
}

func TestFieldsValues(t *testing.T) {
	f := fields(t, `{"i":3,"i2":3.0,"i3":3e2,"neg":-0,"f":1e-05,"b":true,"s":"a\u00fc","n":null,"ints":[1,2.0],"floats":[1,0.5],
		"bools":[true,false],"strings":["x","y"],"none":[],"one":7,"o":{"p":{"q":1}}}`)
	assert.Equal(t, 3, f.Int("i", 0, 9))
	assert.Equal(t, 3, f.Int("i2", 0, 9))
	assert.Equal(t, 300, f.IntOr("i3", 1, 0, 900))
	assert.Equal(t, 0, f.Int("neg", 0, 9))
	assert.Equal(t, -1, f.IntOr("n", -1, 0, 9), "null is absent, and a default may lie outside")
	assert.Equal(t, 1e-5, f.Float("f"))
	assert.Equal(t, 3.0, f.Float("i"))
	assert.Equal(t, 2.5, f.FloatOr("none2", 2.5))
	assert.True(t, f.Bool("b"))
	assert.True(t, f.BoolOr("n", true))
	assert.Equal(t, "aü", f.String("s"))
	assert.Equal(t, "d", f.StringOr("n", "d"))
	assert.Equal(t, []int{1, 2}, f.Ints("ints"))
	assert.Equal(t, []float64{1, 0.5}, f.Floats("floats"))
	assert.Equal(t, []bool{true, false}, f.Bools("bools"))
	assert.Equal(t, []string{"x", "y"}, f.Strings("strings"))
	assert.Nil(t, f.Ints("n"))
	assert.NotNil(t, f.Ints("none"))
	assert.Equal(t, []int{7}, f.IntsOrInt("one"))
	assert.Equal(t, []int{1, 2}, f.IntsOrInt("ints"))
	assert.Nil(t, f.IntsOrInt("n"))
	assert.Equal(t, 1, f.Object("o").Object("p").Int("q", 0, 1))
	assert.Nil(t, f.Object("n"))
	assert.True(t, f.Has("o"))
	assert.False(t, f.Has("n"))
	assert.Equal(t, "null", string(f.Raw("n")))
	assert.Nil(t, f.Raw("zzz"))
	assert.Equal(t, []string{"i", "i2", "i3"}, f.Keys()[:3], "in the order of the file")
	assert.NoError(t, f.Err())
}

func TestFieldsFaults(t *testing.T) {
	f := fields(t, `{"i":-3,"huge":1e30,"frac":1.5,"s":5,"b":"yes","list":[1,"x"],"o":[],"nan":NaN,"inf":-Infinity,"big":1e999,
		"deep":{"er":{"x":"y"}},"long":"`+strings.Repeat("z", 500)+`","line":"a\nb","m":9223372036854775808}`)
	for want, get := range map[string]func(){
		"i: want an integer from 1 to 8, found -3":       func() { f.Int("i", 1, 8) },
		"huge: want an integer from 1 to 8, found 1e30":  func() { f.IntOr("huge", 2, 1, 8) },
		"frac: want an integer from 1 to 8, found 1.5":   func() { f.Int("frac", 1, 8) },
		"m: want an integer from 1 to 8, found 92233720": func() { f.Int("m", 1, 8) },
		"none: want an integer from 1 to 8, found nothi": func() { f.Int("none", 1, 8) },
		"s: want a string, found 5":                      func() { f.String("s") },
		"b: want true or false, found \"yes\"":           func() { f.BoolOr("b", true) },
		"list: want a list of integers, found [1,\"x\"]": func() { f.Ints("list") },
		"s: want a list of strings, found 5":             func() { f.Strings("s") },
		"o: want an object, found []":                    func() { f.Object("o") },
		"nan: want a finite number, found NaN":           func() { f.Float("nan") },
		"inf: want a finite number, found -Infinity":     func() { f.FloatOr("inf", 1) },
		"big: want a finite number, found 1e999":         func() { f.Float("big") },
		"deep.er.x: want a finite number, found \"y\"":   func() { f.Object("deep").Object("er").Float("x") },
		"long: want a finite number, found \"zzz":        func() { f.Float("long") },
		"line: want an odd thing, found \"a\\\\nb\"":     func() { f.Fail("line", "an odd thing") },
		"i: want 4 heads, found 3":                       func() { f.Fail("i", "4 heads", "3") },
		"list: want an integer or a list of integers":    func() { f.IntsOrInt("list") },
	} {
		had := faultsOf(f.Err())
		get()
		now := faultsOf(f.Err())
		if assert.Len(t, now, len(had)+1, want) {
			line := now[len(had)].Error()
			assert.True(t, strings.HasPrefix(line, "config.json: "+strings.SplitN(want, `\\`, 2)[0]), "%s\n%s", line, want)
		}
	}
	err := f.Err()
	oneLine(t, err)
	assert.ErrorIs(t, err, loader.ErrConfig)
	assert.ErrorContains(t, err, "… and 14 more")
}

func faultsOf(err error) loader.Faults {
	var all loader.Faults
	var single *loader.Fault
	switch {
	case errors.As(err, &all):
		return all
	case errors.As(err, &single):
		return loader.Faults{single}
	}
	return nil
}

func TestFieldsRefusesText(t *testing.T) {
	for name, text := range map[string]string{
		"empty": ``, "list": `[]`, "number": `3`, "comma": `{"a":1,}`, "no colon": `{"a" 1}`, "two": `{}{}`, "comment": `{} //`,
		"single quotes": `{'a':1}`, "twice": `{"a":1,"a":2}`, "twice inside": `{"a":[{"b":1,"b":1}]}`, "leading zero": `{"a":01}`,
		"plus": `{"a":+1}`, "dot": `{"a":1.}`, "hex": `{"a":0x1}`, "inf": `{"a":inf}`, "word": `{"a":nul}`, "control": "{\"a\":\"\t\"}",
		"utf8": "{\"a\":\"\xff\"}", "escape": `{"a":"\q"}`, "open": `{"a":"b`, "open escape": `{"a":"\`, "zero": "{}\x00",
		"deep": strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "long number": `{"a":` + strings.Repeat("1", 600) + `}`,
	} {
		_, err := loader.ParseFields("config.json", []byte(text))
		require.ErrorIs(t, err, loader.ErrConfig, name)
		oneLine(t, err)
	}
	_, err := loader.ParseFields("c", []byte(strings.Repeat(`{"a":`, 64)+"1"+strings.Repeat("}", 64)))
	require.NoError(t, err)
}
