package tokenizer

import (
	"math"
	"strconv"
	"strings"
)

// scoreFloat reads a number as serde_json does without its float_roundtrip feature: the first digits as a
// whole number, then one product or quotient with a power of ten. That may be off by the last bit, and ties
// between splits of equal score depend on just that bit.
func scoreFloat(s string) (float64, bool) {
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return 0, false
	}
	digits, negative := strings.CutPrefix(s, "-")
	mantissa, power, _ := strings.Cut(strings.ToLower(digits), "e")
	exp := 0
	if power != "" {
		var err error
		if exp, err = strconv.Atoi(power); err != nil || exp > 1000 || exp < -100000 {
			return 0, false
		}
	}
	f, shift := leadingDigits(mantissa)
	exp += shift
	for exp < -308 && f != 0 {
		f /= 1e308
		exp += 308
	}
	switch {
	case f == 0:
	case exp < 0:
		f /= pow10(-exp)
	default:
		f *= pow10(exp)
	}
	if negative {
		f = -f
	}
	return f, !math.IsInf(f, 0)
}

// leadingDigits reads as many digits as 64 bits hold and returns the power of ten that is missing.
func leadingDigits(s string) (f float64, shift int) {
	whole, frac, _ := strings.Cut(s, ".")
	n, full := uint64(0), false
	for i, c := range []byte(whole + frac) {
		d := uint64(c - '0')
		full = full || n > math.MaxUint64/10 || n == math.MaxUint64/10 && d > math.MaxUint64%10
		if !full {
			n = n*10 + d
			if i >= len(whole) {
				shift--
			}
		} else if i < len(whole) {
			shift++
		}
	}
	return float64(n), shift
}

func pow10(n int) float64 {
	f, err := strconv.ParseFloat("1e"+strconv.Itoa(n), 64)
	if err != nil {
		return math.Inf(1)
	}
	return f
}
