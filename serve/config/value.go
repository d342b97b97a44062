package config

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// reader collects the faults of a file.
type reader struct {
	file   string
	dir    string // that relative names are relative to
	faults Faults
}

// value is a node of the file and the path to it.
type value struct {
	r     *reader
	n     *yaml.Node
	field string
}

func (v value) pos() Pos { return Pos{v.r.file, v.n.Line, v.field} }

func (v value) bad(want string) { v.wrong(want, describe(v.n)) }

func (v value) wrong(want, found string) {
	v.r.faults = append(v.r.faults, v.pos().Fault(want, found))
}

// describe says what a node is, for errors.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "nothing"
		}
		return clip(n.Value)
	}
	return "something else"
}

// null says whether nothing stands where a value might.
func (v value) null() bool { return v.n.Kind == yaml.ScalarNode && v.n.Tag == "!!null" }

func (v value) member(name string, n *yaml.Node) value {
	field := name
	if len(name) > 100 {
		field = name[:100] + "…"
	}
	if v.field != "" {
		field = v.field + "." + field
	}
	return value{v.r, n, field}
}

// keys is how the members of a mapping are read.
type keys map[string]func(value)

// object reads a mapping whose keys are known. Nothing in the place of the whole or of a member is as if it were not there.
func (v value) object(k keys) {
	v.each("a mapping", func(name string, m value) {
		read := k[name]
		if read == nil {
			m.wrong("one of "+strings.Join(slices.Sorted(maps.Keys(k)), ", "), "the unknown key "+clip(name))
			return
		}
		if !m.null() {
			read(m)
		}
	})
}

// each calls f with the members of a mapping in the order of the file; a second one of the same name is a fault.
func (v value) each(want string, f func(name string, m value)) {
	if v.null() {
		return
	}
	if v.n.Kind != yaml.MappingNode {
		v.bad(want)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(v.n.Content); i += 2 {
		key, n := v.n.Content[i], v.n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			value{v.r, key, v.field}.bad("a name as key")
			continue
		}
		m := v.member(key.Value, n)
		if line, twice := seen[key.Value]; twice {
			value{v.r, key, m.field}.wrong("each key once", fmt.Sprintf("it again (first in line %d)", line))
			continue
		}
		seen[key.Value] = key.Line
		f(key.Value, m)
	}
}

// list calls f with each element; want names the whole in errors.
func (v value) list(want string, f func(value)) {
	if v.n.Kind != yaml.SequenceNode {
		v.bad(want)
		return
	}
	for i, n := range v.n.Content {
		f(value{v.r, n, fmt.Sprintf("%s[%d]", v.field, i)})
	}
}

// str reads a text that is not empty. Numbers and the like are texts too where one is wanted.
func (v value) str(dst *string) {
	if v.n.Kind != yaml.ScalarNode || v.null() || v.n.Value == "" {
		v.bad("a text")
		return
	}
	*dst = v.n.Value
}

// strs reads a text or a list of texts.
func (v value) strs(dst *[]string) {
	one := func(v value) {
		var s string
		if v.str(&s); s != "" {
			*dst = append(*dst, s)
		}
	}
	if v.n.Kind == yaml.ScalarNode {
		one(v)
		return
	}
	v.list("a text or a list of texts", one)
	if len(v.n.Content) == 0 {
		v.wrong("a text or a list of texts", "an empty list")
	}
}

// oneOf reads one of some words.
func (v value) oneOf(dst *string, words ...string) {
	if v.n.Kind != yaml.ScalarNode || !slices.Contains(words, v.n.Value) {
		v.bad(strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1])
		return
	}
	*dst = v.n.Value
}

// path reads the name of a file or folder, relative to the configuration.
func (v value) path(dst *string) {
	var s string
	if v.str(&s); s != "" {
		if !filepath.IsAbs(s) {
			s = filepath.Join(v.r.dir, s)
		}
		*dst = s
	}
}

func (v value) boolean(dst *bool) {
	if v.n.Kind != yaml.ScalarNode || v.n.Tag != "!!bool" || v.n.Decode(dst) != nil {
		v.bad("true or false")
	}
}

// integer reads a whole number within [lo, hi]; underscores may group digits.
func (v value) integer(dst *int, lo, hi int) {
	n, err := strconv.ParseInt(v.n.Value, 0, 64)
	if v.n.Kind != yaml.ScalarNode || err != nil || n < int64(lo) || n > int64(hi) {
		v.bad(fmt.Sprintf("a whole number from %d to %d", lo, hi))
		return
	}
	*dst = int(n)
}

// number reads a number within [lo, hi]; infinite hi: any from lo on.
func (v value) number(dst *float64, lo, hi float64) {
	x, err := strconv.ParseFloat(v.n.Value, 64)
	if v.n.Kind != yaml.ScalarNode || err != nil || !(x >= lo && x <= hi) || math.IsInf(x, 0) {
		want := fmt.Sprintf("a number from %g to %g", lo, hi)
		if math.IsInf(hi, 1) {
			want = fmt.Sprintf("a number, %g or more", lo)
		}
		if lo == math.SmallestNonzeroFloat64 {
			want = "a number above 0"
		}
		v.bad(want)
		return
	}
	*dst = x
}

// duration reads a time such as 30s or 1m30s within [lo, hi].
func (v value) duration(dst *time.Duration, lo, hi time.Duration) {
	d, err := time.ParseDuration(v.n.Value)
	if v.n.Kind != yaml.ScalarNode || err != nil || d < lo || d > hi {
		v.bad(fmt.Sprintf("a time from %v to %v, such as 30s", lo, hi))
		return
	}
	*dst = d
}

// maxRegex bounds the text of a pattern.
const maxRegex = 4096

// pattern reads a regular expression; nil where it is none.
func (v value) pattern() *regexp.Regexp {
	var text string
	if v.str(&text); text == "" {
		return nil
	}
	if len(text) > maxRegex {
		v.wrong(fmt.Sprintf("a pattern of at most %d bytes", maxRegex), "more")
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		v.wrong("a pattern of RE2", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	return re
}

// check refuses what makes a small file large or hides what it says: anchors, aliases, merge keys, tags of the user's own.
func (v value) check(depth int) {
	switch {
	case depth > maxDepth:
		v.wrong(fmt.Sprintf("at most %d lists and mappings within each other", maxDepth), "more")
		return
	case v.n.Kind == yaml.AliasNode:
		v.wrong("no aliases", "*"+v.n.Value)
	case v.n.Anchor != "":
		v.wrong("no anchors", "&"+v.n.Anchor)
	case v.n.Tag == "!!merge":
		v.wrong("no merge keys", "<<")
	case v.n.Style&yaml.TaggedStyle != 0:
		v.wrong("no tags", v.n.Tag)
	}
	for i, n := range v.n.Content {
		m := value{v.r, n, v.field}
		switch {
		case v.n.Kind == yaml.SequenceNode:
			m.field = fmt.Sprintf("%s[%d]", v.field, i)
		case v.n.Kind == yaml.MappingNode && i%2 == 1:
			m = v.member(v.n.Content[i-1].Value, n)
		}
		m.check(depth + 1)
	}
}
