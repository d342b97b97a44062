package price_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/price"
)

func TestCostIsExact(t *testing.T) {
	p, err := price.PerMillion(0.0375, 0.15)
	require.NoError(t, err)
	var sum price.Money
	for range 1_000_000 {
		sum = sum.Plus(p.Cost(price.Usage{In: 1, Out: 2}))
	}
	require.Equal(t, "0.3375", sum.String())
	require.Equal(t, sum, p.Cost(price.Usage{In: 1e6, Out: 2e6}))
}

func TestCostSaturates(t *testing.T) {
	p, err := price.PerMillion(9e6, 9e6)
	require.NoError(t, err)
	require.EqualValues(t, math.MaxInt64, p.Cost(price.Usage{In: math.MaxInt64, Out: math.MaxInt64}))
	require.EqualValues(t, math.MaxInt64, price.Money(math.MaxInt64).Plus(1))
	require.Zero(t, p.Cost(price.Usage{In: -5, Out: -1}), "a hostile count earns nothing")
}

func TestAmounts(t *testing.T) {
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1), 1e7} {
		_, err := price.Of(bad)
		require.ErrorIs(t, err, price.ErrAmount)
		_, err = price.PerMillion(bad, 0)
		require.ErrorIs(t, err, price.ErrAmount)
		_, err = price.PerMillion(0, bad)
		require.ErrorIs(t, err, price.ErrAmount)
	}
	for _, units := range []float64{0, 0.000001, 1, 12.34, 9e6} {
		m, err := price.Of(units)
		require.NoError(t, err)
		data, err := json.Marshal(m)
		require.NoError(t, err)
		var back price.Money
		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, m, back)
	}
	var m price.Money
	require.Error(t, json.Unmarshal([]byte(`"a"`), &m))
	require.Error(t, json.Unmarshal([]byte(`-3`), &m))
}
