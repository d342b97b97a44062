package main

import (
	"bufio"
	"io"
)

// line is one line of input, or why there are no more.
type line struct {
	text string
	err  error
}

// readLines reads lines in the background, so that waiting for one can be interrupted. The last line may lack its end.
func readLines(r io.Reader) <-chan line {
	out := make(chan line)
	go func() {
		in := bufio.NewReader(r)
		for {
			text, err := in.ReadString('\n')
			if text != "" {
				out <- line{text: text}
			}
			if err != nil {
				out <- line{err: err}
				return
			}
		}
	}()
	return out
}
