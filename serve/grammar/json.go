package grammar

import "encoding/json"

// space is the one blank that may stand behind ':' and ','.
func (b *builder) space() *node { return b.opt(b.lit(" ")) }

// char is one character of a string as JSON writes it.
func (b *builder) char() *node {
	if b.chr == nil {
		hex := b.class('0', '9', 'a', 'f', 'A', 'F')
		b.chr = b.alt(
			b.class(' ', '!', '#', '[', ']', 0x7f),
			b.multibyte(),
			b.seq(b.lit(`\`), b.class('"', '"', '\\', '\\', '/', '/', 'b', 'b', 'f', 'f', 'n', 'n', 'r', 'r', 't', 't')),
			b.seq(b.lit(`\u`), b.alt(
				b.seq(b.class('0', '9', 'a', 'c', 'e', 'f', 'A', 'C', 'E', 'F'), hex, hex, hex),
				b.seq(b.class('d', 'd', 'D', 'D'), b.class('0', '7'), hex, hex))), // no surrogates
		)
	}
	return b.chr
}

// multibyte is any character of UTF-8 beyond ASCII.
func (b *builder) multibyte() *node { return b.runes(0x80, 0x10ffff) }

// str is a string of lo to hi characters.
func (b *builder) str(lo, hi int) *node {
	return b.seq(b.lit(`"`), b.repeat(b.char(), lo, hi), b.lit(`"`))
}

// maxDigits bounds the digits of a number before the point and behind it.
const maxDigits = 15

// natural is 0 or digits without a leading 0.
func (b *builder) natural() *node {
	return b.alt(b.lit("0"), b.seq(b.class('1', '9'), b.repeat(b.class('0', '9'), 0, maxDigits-1)))
}

func (b *builder) integer() *node { return b.seq(b.opt(b.lit("-")), b.natural()) }

func (b *builder) fraction() *node {
	return b.seq(b.lit("."), b.repeat(b.class('0', '9'), 1, maxDigits))
}

func (b *builder) number() *node {
	exponent := b.seq(b.class('e', 'e', 'E', 'E'), b.opt(b.class('+', '+', '-', '-')), b.repeat(b.class('0', '9'), 1, 2))
	return b.seq(b.integer(), b.opt(b.fraction()), b.opt(exponent))
}

// any is any JSON value.
func (b *builder) any() *node {
	if b.value == nil {
		b.value = b.add(&node{kind: kindRef})
		b.value.kids = []*node{b.alt(b.str(0, -1), b.number(), b.lit("true"), b.lit("false"), b.lit("null"),
			b.mapping(b.value), b.list(b.value, 0, -1))}
	}
	return b.value
}

// mapping is an object of any keys whose values are all of one kind.
func (b *builder) mapping(value *node) *node {
	member := b.seq(b.str(0, -1), b.lit(":"), b.space(), value)
	return b.seq(b.lit("{"), b.separated(member, 0, -1), b.lit("}"))
}

// list is an array of lo to hi items.
func (b *builder) list(item *node, lo, hi int) *node {
	return b.seq(b.lit("["), b.separated(item, lo, hi), b.lit("]"))
}

// separated is lo to hi times item with commas between.
func (b *builder) separated(item *node, lo, hi int) *node {
	if hi == 0 {
		return b.empty()
	}
	more := b.repeat(b.seq(b.lit(","), b.space(), item), max(lo-1, 0), max(hi, 0)-1)
	if hi < 0 {
		more.hi = -1
	}
	some := b.seq(item, more)
	if lo > 0 {
		return some
	}
	return b.opt(some)
}

// constant is one JSON value, as it is written without blanks.
func (b *builder) constant(v any) *node { return b.lit(compact(v)) }

// compact writes a value with no blanks and no escapes that JSON does not need.
func compact(v any) string {
	switch v := v.(type) {
	case *object:
		out := "{"
		for i, k := range v.keys {
			if i > 0 {
				out += ","
			}
			out += quote(k) + ":" + compact(v.get(k))
		}
		return out + "}"
	case []any:
		out := "["
		for i, x := range v {
			if i > 0 {
				out += ","
			}
			out += compact(x)
		}
		return out + "]"
	case string:
		return quote(v)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(data)
}
