// Package price counts tokens and money exactly.
//
// Money is an integer, so that a sum of a million small costs is right to the last digit and a budget holds to it.
package price

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
)

// Money is an amount in millionths of a millionth of the currency that prices are given in: a price per million tokens,
// in millionths, is the price of one token. The most it holds is 9.2 million.
type Money int64

// One is one unit of the currency.
const One Money = 1e12

// ErrAmount is returned for an amount that is negative, not finite, or too large.
var ErrAmount = errors.New("not an amount of money")

// Of is the amount of a number of units, rounded to the next Money.
func Of(units float64) (Money, error) {
	if !(units >= 0 && units <= 9e6) {
		return 0, fmt.Errorf("%w: %v, want 0 to 9000000", ErrAmount, units)
	}
	return Money(math.Round(units * float64(One))), nil
}

// Units is the amount as a floating-point number of units.
func (m Money) Units() float64 { return float64(m) / float64(One) }

// String is the amount in units with as many digits as it needs.
func (m Money) String() string { return strconv.FormatFloat(m.Units(), 'f', -1, 64) }

// MarshalJSON writes the amount as a number of units.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads a number of units.
func (m *Money) UnmarshalJSON(data []byte) error {
	units, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return fmt.Errorf("%w: %.40s", ErrAmount, data)
	}
	*m, err = Of(units)
	return err
}

// Plus is the sum; what cannot be held becomes the most that can.
func (m Money) Plus(n Money) Money {
	if n > 0 && m > math.MaxInt64-n {
		return math.MaxInt64
	}
	return m + n
}

// Usage is how many tokens were read and written.
type Usage struct {
	In  int64 `json:"in"`
	Out int64 `json:"out"`
}

// Plus is the sum of both.
func (u Usage) Plus(v Usage) Usage { return Usage{u.In + v.In, u.Out + v.Out} }

// Price is what one token costs.
type Price struct{ In, Out Money }

// PerMillion is the price of a model from its prices per million tokens read and written.
func PerMillion(in, out float64) (Price, error) {
	i, err := Of(in)
	if err != nil {
		return Price{}, fmt.Errorf("price per million tokens in: %w", err)
	}
	o, err := Of(out)
	if err != nil {
		return Price{}, fmt.Errorf("price per million tokens out: %w", err)
	}
	return Price{(i + 5e5) / 1e6, (o + 5e5) / 1e6}, nil
}

// Cost is what u costs; negative counts cost nothing, and what Money cannot hold costs the most it can.
func (p Price) Cost(u Usage) Money { return times(p.In, u.In).Plus(times(p.Out, u.Out)) }

func times(each Money, n int64) Money {
	if n <= 0 || each <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(each), uint64(n))
	if high > 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return Money(low)
}
