package grammar

import (
	"encoding/json"
	"math"
	"strconv"
)

// limit is the largest magnitude of a number whose range is given.
const limit = int64(1e15) - 1

// numberSchema is a number or an integer, within bounds where there are some.
func (b *builder) numberSchema(o *object, integer bool) *node {
	if m, ok := o.get("multipleOf").(json.Number); ok && m != "1" || o.has("multipleOf") && !integer {
		b.fail("multipleOf is supported with 1 and integers only")
	}
	lo, hi, bounded := b.bounds(o)
	switch {
	case !bounded && integer:
		return b.integer()
	case !bounded:
		return b.number()
	}
	a, z := int64(math.Ceil(lo.value)), int64(math.Floor(hi.value))
	if lo.open && float64(a) == lo.value {
		a++
	}
	if hi.open && float64(z) == hi.value {
		z--
	}
	var alts []*node
	if a <= z {
		alts = append(alts, b.integers(a, z))
	}
	if !integer {
		alts = append(alts, b.fractions(lo, hi)...)
	}
	if len(alts) == 0 {
		b.fail("no number lies between minimum and maximum")
	}
	return b.alt(alts...)
}

// bound is one end of a range.
type bound struct {
	value float64
	open  bool
}

func (b *builder) bounds(o *object) (lo, hi bound, any bool) {
	lo, hi = bound{float64(-limit), false}, bound{float64(limit), false}
	read := func(key string) (float64, bool) {
		if !o.has(key) {
			return 0, false
		}
		n, ok := o.get(key).(json.Number)
		f, err := strconv.ParseFloat(string(n), 64)
		if !ok || err != nil {
			b.fail("%s: want a number", key)
		}
		any = true
		return f, ok
	}
	if f, ok := read("minimum"); ok && f > lo.value {
		lo = bound{f, false}
	}
	if f, ok := read("exclusiveMinimum"); ok && f >= lo.value {
		lo = bound{f, true}
	}
	if f, ok := read("maximum"); ok && f < hi.value {
		hi = bound{f, false}
	}
	if f, ok := read("exclusiveMaximum"); ok && f <= hi.value {
		hi = bound{f, true}
	}
	if lo.value > float64(limit) || hi.value < float64(-limit) {
		b.fail("minimum and maximum: want bounds within ±%d", limit)
		return bound{}, bound{}, any
	}
	return lo, hi, any
}

// fractions is the numbers with a point whose whole part leaves no doubt that they lie within the bounds, on either side
// of 0. Where the bounds have a common whole part, as 0.2 to 0.8, its tenths are written.
func (b *builder) fractions(lo, hi bound) []*node {
	var out []*node
	if a, z := int64(math.Ceil(max(lo.value, 0))), int64(math.Floor(hi.value))-1; a <= z { // a.x … z.x
		nz := b.seq(b.naturals(a, z), b.fraction())
		if lo.open && float64(a) == lo.value { // a.000 is not above a
			nz = b.above(a, z)
		}
		out = append(out, nz)
	}
	if a, z := int64(math.Ceil(max(-hi.value, 0))), int64(math.Floor(-lo.value))-1; a <= z {
		nz := b.seq(b.naturals(a, z), b.fraction())
		if hi.open && float64(a) == -hi.value {
			nz = b.above(a, z)
		}
		out = append(out, b.seq(b.lit("-"), nz))
	}
	if len(out) == 0 {
		out = b.tenths(lo, hi)
	}
	return out
}

// above is a.x to z.x without a.000….
func (b *builder) above(a, z int64) *node {
	digits := b.repeat(b.class('0', '9'), 0, maxDigits-3)
	zeros := b.repeat(b.class('0', '0'), 0, 2)
	first := b.seq(b.naturals(a, a), b.lit("."), zeros, b.class('1', '9'), digits)
	if a == z {
		return first
	}
	return b.alt(first, b.seq(b.naturals(a+1, z), b.fraction()))
}

// tenths lists the multiples of a power of ten that lie within narrow bounds.
func (b *builder) tenths(lo, hi bound) []*node {
	for digits := 1; digits <= 9; digits++ {
		unit := math.Pow10(digits)
		var out []*node
		for k := math.Ceil(lo.value * unit); k <= hi.value*unit && len(out) < 200; k++ {
			v := k / unit
			if v < lo.value || v > hi.value || lo.open && v == lo.value || hi.open && v == hi.value {
				continue
			}
			out = append(out, b.lit(strconv.FormatFloat(v, 'f', -1, 64)))
		}
		if len(out) >= 2 || digits == 9 {
			return out
		}
	}
	return nil
}

// integers is every whole number from a to z.
func (b *builder) integers(a, z int64) *node {
	var alts []*node
	if a < 0 {
		alts = append(alts, b.seq(b.lit("-"), b.naturals(max(1, -min(z, -1)), -a)))
	}
	if z >= 0 {
		alts = append(alts, b.naturals(max(a, 0), z))
	}
	return b.alt(alts...)
}

// naturals is every whole number from a to z, 0 <= a <= z.
func (b *builder) naturals(a, z int64) *node {
	var alts []*node
	for a <= z {
		top := int64(9) // the largest number with as many digits as a
		for top < a {
			top = top*10 + 9
		}
		top = min(top, z)
		alts = append(alts, b.digits(strconv.FormatInt(a, 10), strconv.FormatInt(top, 10)))
		a = top + 1
	}
	return b.alt(alts...)
}

// digits is the numbers from lo to hi, of one length.
func (b *builder) digits(lo, hi string) *node {
	n := len(lo)
	if n == 1 {
		return b.class(lo[0], hi[0])
	}
	if lo[0] == hi[0] {
		return b.seq(b.class(lo[0], lo[0]), b.digits(lo[1:], hi[1:]))
	}
	zeros, nines := make([]byte, n-1), make([]byte, n-1)
	for i := range zeros {
		zeros[i], nines[i] = '0', '9'
	}
	from, to := lo[0], hi[0]
	var alts []*node
	if lo[1:] != string(zeros) {
		alts = append(alts, b.seq(b.class(from, from), b.digits(lo[1:], string(nines))))
		from++
	}
	if hi[1:] != string(nines) {
		alts = append(alts, b.seq(b.class(to, to), b.digits(string(zeros), hi[1:])))
		to--
	}
	if from <= to {
		alts = append(alts, b.seq(b.class(from, to), b.repeat(b.class('0', '9'), n-1, n-1)))
	}
	return b.alt(alts...)
}
