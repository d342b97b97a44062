package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/seed2fbf7788/switchyard/serve/engine"
)

const (
	overParallel = 4 // texts that the server of the test computes at a time, and as many may wait
	overTimes    = 10
	overPause    = 50 * time.Millisecond // of a client that was refused
)

// overload sends ten times what a server takes: clients ask again and again, and those who are refused wait a little. It
// measures how long a refusal takes, and whether the accepted are whole, as fast as without the others and say the same.
func (b *bench) overload(ctx context.Context, row func(Row) error) error {
	url, stop, err := b.serve(engine.Options{Parallel: overParallel, MaxQueue: overParallel})
	if err != nil {
		return err
	}
	defer stop()
	prompt := b.prompt(b.o.Prompt)
	clients := overTimes * 2 * overParallel
	b.say("%d clients for %v", clients, b.o.Overload)
	alone, err := b.askWith(ctx, url, prompt, b.o.Generate, nil, nil)
	if err != nil {
		return err
	}
	o := overloaded{b: b, url: url, prompt: prompt, want: alone}
	calm, err := o.run(ctx, 2*overParallel)
	if err != nil {
		return err
	}
	busy, err := o.run(ctx, clients)
	if err != nil {
		return err
	}
	if len(busy.refusals) == 0 {
		return errors.New("nobody was refused")
	}
	out := Row{Test: "overload", Streams: clients, TokS: busy.rate, Ratio: busy.rate / calm.rate, First: ms(worst(busy.refusals)), Base: ms(median(busy.refusals)),
		About: fmt.Sprintf("first token and held against: worst and median time of %d refusals; ratio: speed of the %d accepted / without the others", len(busy.refusals), busy.whole)}
	return row(out)
}

// overloaded is a prompt that many clients ask for at one server.
type overloaded struct {
	b      *bench
	url    string
	prompt []int32
	want   *stream
}

type outcome struct {
	refusals []time.Duration
	whole    int
	rate     float64 // tokens of whole streams per second
}

// run lets clients ask until time is over. A stream that is not what it is alone is an error.
func (o *overloaded) run(ctx context.Context, clients int) (outcome, error) {
	var mu sync.Mutex
	var out outcome
	var failed error
	text, begin, tokens := o.want.text(), time.Now(), 0
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for time.Since(begin) < o.b.o.Overload && ctx.Err() == nil {
				asked := time.Now()
				s, err := o.b.askWith(ctx, o.url, o.prompt, o.b.o.Generate, nil, nil)
				took := time.Since(asked)
				mu.Lock()
				var no *refused
				switch {
				case errors.As(err, &no) && no.status == http.StatusServiceUnavailable:
					out.refusals = append(out.refusals, took)
				case err != nil:
					failed = errors.Join(failed, err)
				case s.tokens != o.want.tokens || s.text() != text:
					failed = errors.Join(failed, fmt.Errorf("a stream of %d tokens is another than alone, of %d", s.tokens, o.want.tokens))
				default:
					out.whole++
					tokens += s.tokens
				}
				over := failed != nil
				mu.Unlock()
				if over {
					return
				}
				if no != nil {
					time.Sleep(overPause)
				}
			}
		})
	}
	wg.Wait()
	out.rate = float64(tokens) / time.Since(begin).Seconds()
	return out, failed
}
