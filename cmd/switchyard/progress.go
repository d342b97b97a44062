package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// spinner shows that something goes on once it has taken a second; the function that it returns ends it.
func spinner(s stdio, what string) func() {
	if !isTerminal(s.err) {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-done:
			return
		case <-time.After(time.Second):
		}
		spin(s.err, what, done)
	}()
	return func() { close(done); <-gone }
}

func spin(w io.Writer, what string, done <-chan struct{}) {
	bar := progressbar.NewOptions(-1, progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(w),
		progressbar.OptionClearOnFinish(), progressbar.OptionSpinnerType(14))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			_ = bar.Finish()
			return
		case <-tick.C:
			_ = bar.Add(1)
		}
	}
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
