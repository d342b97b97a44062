package jinja

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{% for a in b %}{{ loop.index }}{% else %}x{% endfor %}", "{{ {'a': [1, 2.5]} | tojson(indent=2) }}",
		"{% macro m(x, y=1) %}{{ caller() }}{% endmacro %}{% call m(2) %}z{% endcall %}", "{%- set ns = namespace(a=1) -%}{{ ns.a[::-1] }}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tpl, err := Parse(s)
		if err == nil {
			_, _ = tpl.Render(map[string]any{"b": &List{Items: []any{int64(1), "x"}}}, time.Unix(0, 0))
		}
	})
}

// TestLimits: templates without end and strings without end are stopped.
func TestLimits(t *testing.T) {
	for _, s := range []string{
		"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
		"{% set ns = namespace(s='x') %}{% for a in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ 'x' * 9999999999 }}", "{{ range(999999999) }}",
		"{% set ns = namespace(s=[1]) %}{% for a in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
	} {
		tpl, err := Parse(s)
		require.NoError(t, err)
		_, err = tpl.Render(nil, time.Unix(0, 0))
		require.Error(t, err, s)
	}
}
