package main

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// showProgress shows that something goes on once it has taken a second: a bar as soon as progress has been told of bytes,
// a spinner before. done ends it and must be called.
func showProgress(s stdio, what string) (progress func(done, total int64), done func()) {
	if !isTerminal(s.err) {
		return nil, func() {}
	}
	var at, total atomic.Int64
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-quit:
			return
		case <-time.After(time.Second):
		}
		draw(s.err, what, &at, &total, quit)
	}()
	progress = func(d, t int64) { total.Store(t); at.Store(d) }
	return progress, func() { close(quit); <-gone }
}

// spinner is showProgress for work that does not know how much of it there is.
func spinner(s stdio, what string) (done func()) {
	_, done = showProgress(s, what)
	return done
}

// draw keeps the bar on the screen up to date until quit is closed.
func draw(w io.Writer, what string, at, total *atomic.Int64, quit <-chan struct{}) {
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(w),
		progressbar.OptionClearOnFinish(), progressbar.OptionSpinnerType(14), progressbar.OptionShowBytes(true))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			_ = bar.Finish()
			return
		case <-tick.C:
			if t := total.Load(); t > 0 {
				bar.ChangeMax64(t)
				_ = bar.Set64(min(at.Load(), t-1)) // a full bar would end itself
				continue
			}
			_ = bar.Add(0)
		}
	}
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
