package budget_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/budget"
	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/price"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func budgetOf(t *testing.T, o budget.Options) *budget.Budget {
	b, err := budget.New(o)
	require.NoError(t, err)
	return b
}

func TestShare(t *testing.T) {
	b := budgetOf(t, budget.Options{Share: 0.2, Window: 1000})
	var got []int
	for n := range 21 {
		if ticket, refusal := b.Take(1); ticket != nil {
			ticket.Settle(1)
			got = append(got, n+1)
		} else {
			require.Equal(t, budget.Share, refusal)
		}
	}
	require.Equal(t, []int{1, 5, 10, 15, 20}, got, "a fifth and one")
}

func TestWindowBoundsABurst(t *testing.T) {
	b := budgetOf(t, budget.Options{Share: 0.2, Window: 10})
	for range 1000 {
		b.Count()
	}
	got := 0
	for range 10 {
		if ticket, _ := b.Take(1); ticket != nil {
			got++
		}
	}
	require.Equal(t, 3, got, "200 places are saved up, but a window of ten has two and one")
}

func TestZeroLetsNothingGo(t *testing.T) {
	b := budgetOf(t, budget.Options{})
	for range 100 {
		ticket, refusal := b.Take(0)
		require.Nil(t, ticket)
		require.Equal(t, budget.Share, refusal)
	}
	all := budgetOf(t, budget.Options{Share: 1})
	for range 1000 {
		ticket, _ := all.Take(price.One)
		require.NotNil(t, ticket)
	}
}

func TestReleaseAndSettleCountOnce(t *testing.T) {
	b := budgetOf(t, budget.Options{Share: 0.5, Window: 4, Day: 100})
	one, _ := b.Take(60)
	require.NotNil(t, one)
	require.Equal(t, budget.State{Requests: 1, Taken: 1, Open: 1, Date: b.State().Date, Reserved: 60}, b.State())
	require.False(t, one.More(50))
	require.True(t, one.More(40))
	one.Release()
	one.Release()
	one.Settle(60)
	require.False(t, one.More(1))
	require.Equal(t, budget.State{Requests: 1, Date: b.State().Date}, b.State())
	two, _ := b.Take(60)
	two.Settle(10)
	two.Settle(10)
	two.Release()
	require.Equal(t, budget.State{Requests: 2, Taken: 1, Date: b.State().Date, Spent: 10}, b.State())
	var none *budget.Ticket
	none.Settle(5)
	none.Release()
	require.False(t, none.More(5))
}

func TestDay(t *testing.T) {
	c := clock.NewFake(noon)
	b := budgetOf(t, budget.Options{Share: 1, Day: 100, Clock: c})
	first, _ := b.Take(70)
	require.True(t, b.Affords(30))
	require.False(t, b.Affords(31))
	_, refusal := b.Take(31)
	require.Equal(t, budget.Money, refusal)
	first.Settle(20)
	second, _ := b.Take(80)
	require.NotNil(t, second)

	c.Advance(12 * time.Hour) // midnight: a new day, and what is still open belongs to the old one
	require.Equal(t, "2026-11-26", b.State().Date)
	third, _ := b.Take(100)
	require.NotNil(t, third)
	second.Settle(80)
	require.EqualValues(t, 0, b.State().Spent)
	third.Settle(100)
	require.EqualValues(t, 100, b.State().Spent)
	_, refusal = b.Take(1)
	require.Equal(t, budget.Money, refusal)

	c.Advance(-24 * time.Hour)
	_, refusal = b.Take(1)
	require.Equal(t, budget.Money, refusal, "a clock that is set back brings no money")
}

func TestMoreAfterMidnight(t *testing.T) {
	c := clock.NewFake(noon)
	b := budgetOf(t, budget.Options{Share: 1, Day: 100, Clock: c})
	ticket, _ := b.Take(60)
	c.Advance(24 * time.Hour)
	require.False(t, ticket.More(41))
	require.True(t, ticket.More(40))
	require.EqualValues(t, 100, b.State().Reserved)
	ticket.Settle(90)
	require.EqualValues(t, 90, b.State().Spent)
	require.Zero(t, b.State().Reserved)
}

func TestUnbounded(t *testing.T) {
	b := budgetOf(t, budget.Options{Share: 1, Day: 100})
	_, refusal := b.Take(budget.Unbounded)
	require.Equal(t, budget.Money, refusal)
	_, refusal = b.Take(-1)
	require.Equal(t, budget.Money, refusal)
	free := budgetOf(t, budget.Options{Share: 1})
	for range 3 {
		ticket, _ := free.Take(budget.Unbounded)
		require.NotNil(t, ticket)
		require.True(t, ticket.More(budget.Unbounded))
		ticket.Settle(7)
	}
	require.EqualValues(t, 21, free.State().Spent)
	require.Zero(t, free.State().Reserved)
}

func TestUpdateKeepsWhatWasCounted(t *testing.T) {
	b := budgetOf(t, budget.Options{Share: 0.5, Window: 10, Day: 100})
	open := 0
	for range 10 {
		if ticket, _ := b.Take(5); ticket != nil {
			open++
		}
	}
	require.Equal(t, 6, open)
	require.NoError(t, b.Update(budget.Options{Share: 0.2, Window: 5, Day: 31}))
	_, refusal := b.Take(1)
	require.Equal(t, budget.Share, refusal, "six of eleven are more than a fifth")
	require.NoError(t, b.Update(budget.Options{Share: 1, Window: 20, Day: 31}))
	_, refusal = b.Take(2)
	require.Equal(t, budget.Money, refusal, "30 of 31 are reserved")
	for name, bad := range map[string]budget.Options{
		"Share": {Share: 1.1}, "Share is NaN": {Share: math.NaN()}, "Share is -": {Share: -0.1}, "Window": {Window: -1}, "1048576": {Window: 1 << 30}, "Day": {Day: -1},
	} {
		err := b.Update(bad)
		require.ErrorIs(t, err, budget.ErrOptions)
		require.ErrorContains(t, err, name)
	}
	require.EqualValues(t, 30, b.State().Reserved)
}

func TestRestore(t *testing.T) {
	c := clock.NewFake(noon)
	b := budgetOf(t, budget.Options{Share: 0.2, Day: 100, Clock: c})
	require.NoError(t, b.Restore(budget.State{Requests: 50, Taken: 11, Date: "2026-11-25", Spent: 95}))
	_, refusal := b.Take(6)
	require.Equal(t, budget.Share, refusal)
	for range 10 {
		b.Count()
	}
	_, refusal = b.Take(6)
	require.Equal(t, budget.Money, refusal)
	yesterday := budgetOf(t, budget.Options{Share: 1, Day: 100, Clock: c})
	require.NoError(t, yesterday.Restore(budget.State{Date: "2026-11-24", Spent: 95}))
	ticket, _ := yesterday.Take(100)
	require.NotNil(t, ticket)
	require.Error(t, b.Restore(budget.State{Requests: 1, Taken: 2}))
	require.Error(t, b.Restore(budget.State{Spent: -2}))
}

// model is the specification, written the slow way.
type model struct {
	share float64
	took  []bool
}

func (m *model) may(window int) bool {
	all, near := 0, 0
	for i, took := range m.took {
		if took {
			all++
			if i > len(m.took)-window {
				near++
			}
		}
	}
	n := float64(len(m.took) + 1)
	const eps = 1e-9
	return m.share > 0 && float64(all+1) <= m.share*n+1+eps && float64(near+1) <= m.share*min(n, float64(window))+1+eps
}

// Any order of counting, taking, settling and releasing agrees with the specification and keeps the bounds.
func TestAnyOrder(t *testing.T) {
	type open struct {
		ticket *budget.Ticket
		number int
		worst  price.Money
		date   int
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := clock.NewFake(noon)
		share := float64(r.IntN(101)) / 100
		window := 1 + r.IntN(30)
		day := price.Money(r.IntN(3) * 500)
		b := budgetOf(t, budget.Options{Share: share, Window: window, Day: day, Clock: c})
		m := &model{share: share}
		var opens []open
		var spent, reserved price.Money
		date := 0
		finish := func(i int) {
			o := opens[i]
			opens = append(opens[:i], opens[i+1:]...)
			cost := price.Money(r.Int64N(int64(o.worst) + 1))
			if o.date == date {
				reserved -= o.worst
			}
			if r.IntN(3) == 0 {
				o.ticket.Release()
				m.took[o.number] = false
				return
			}
			o.ticket.Settle(cost)
			if o.date == date {
				spent += cost
			}
		}
		for range 400 {
			switch r.IntN(6) {
			case 0, 1:
				b.Count()
				m.took = append(m.took, false)
			case 2, 3:
				worst := price.Money(r.IntN(200))
				may := m.may(window)
				ticket, refusal := b.Take(worst)
				affords := day == 0 || spent+reserved+worst <= day
				require.Equal(t, may && affords, ticket != nil, "seed %d: %q", seed, refusal)
				require.Equal(t, may, refusal != budget.Share, "seed %d", seed)
				m.took = append(m.took, ticket != nil)
				if ticket != nil {
					reserved += worst
					opens = append(opens, open{ticket, len(m.took) - 1, worst, date})
				}
			case 4:
				if len(opens) > 0 {
					finish(r.IntN(len(opens)))
				}
			case 5:
				if r.IntN(20) == 0 {
					c.Advance(24 * time.Hour)
					date++
					spent, reserved = 0, 0
				}
			}
			s := b.State()
			require.Equal(t, spent, s.Spent)
			require.Equal(t, reserved, s.Reserved)
			require.Len(t, opens, s.Open)
			if day > 0 {
				require.LessOrEqual(t, s.Spent+s.Reserved, day)
			}
			require.LessOrEqual(t, float64(s.Taken), share*float64(s.Requests)+1+1e-9)
		}
		for len(opens) > 0 {
			finish(0)
		}
		require.Zero(t, b.State().Open)
		require.Zero(t, b.State().Reserved)
	}
}

// 64 clients at once: at every moment no more is taken than the share, and no more is reserved than the day has.
func TestBoundsHoldUnderConcurrency(t *testing.T) {
	const share, day = 0.2, 50_000
	b := budgetOf(t, budget.Options{Share: share, Window: 50, Day: day, Clock: clock.NewFake(noon)})
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			s := b.State()
			if float64(s.Taken) > share*float64(s.Requests)+1 || s.Spent+s.Reserved > day {
				t.Errorf("out of bounds: %+v", s)
				return
			}
		}
	})
	var mu sync.Mutex
	went, spent := 0, price.Money(0)
	var clients sync.WaitGroup
	for client := range 64 {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(uint64(client), 2))
			for range 200 {
				if r.IntN(2) == 0 {
					b.Count()
					continue
				}
				ticket, _ := b.Take(100)
				if ticket == nil {
					continue
				}
				if r.IntN(4) == 0 {
					ticket.Release()
					continue
				}
				cost := price.Money(r.IntN(101))
				for range 2 {
					go ticket.Settle(cost)
				}
				ticket.Settle(cost)
				mu.Lock()
				went, spent = went+1, spent+cost
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	close(stop)
	watch.Wait()
	s := b.State()
	require.EqualValues(t, 64*200, s.Requests)
	require.EqualValues(t, went, s.Taken)
	require.Equal(t, spent, s.Spent)
	require.Zero(t, s.Open)
	require.Zero(t, s.Reserved)
	require.LessOrEqual(t, float64(went), share*64*200+1)
	require.Greater(t, went, 64*200/20, "much of what may go goes")
}
