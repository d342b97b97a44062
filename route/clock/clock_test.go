package clock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/clock"
)

func TestFake(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := clock.NewFake(begin)
	rang := make(chan int, 3)
	f.AfterFunc(time.Second, func() { rang <- 1 })
	stop := f.AfterFunc(2*time.Second, func() { rang <- 2 })
	f.Timers(2 * time.Second)
	f.Advance(time.Second)
	require.Equal(t, 1, <-rang)
	require.True(t, stop())
	require.False(t, stop())
	f.Advance(time.Hour)
	f.AfterFunc(0, func() { rang <- 3 })
	require.Equal(t, 3, <-rang)
	require.Equal(t, begin.Add(time.Hour+time.Second), f.Now())
}

func TestSleep(t *testing.T) {
	f := clock.NewFake(time.Unix(0, 0))
	slept := make(chan error)
	go func() { slept <- clock.Sleep(t.Context(), f, time.Minute) }()
	f.Timers(time.Minute)
	f.Advance(time.Minute)
	require.NoError(t, <-slept)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { slept <- clock.Sleep(ctx, f, time.Minute) }()
	f.Timers(time.Minute)
	cancel()
	require.ErrorIs(t, <-slept, context.Canceled)
	require.ErrorIs(t, clock.Sleep(ctx, f, 0), context.Canceled)
	require.NoError(t, clock.Sleep(t.Context(), clock.Or(nil), time.Microsecond))
}
