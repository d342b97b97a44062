package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// stops are what the tour asks.
var stops = []struct{ model, prompt string }{
	{"auto", "func main() {"},
	{"auto", "My fellow citizens, we observe today a celebration of freedom"},
	{"auto", "Is the liability in this contract limited?"},
	{"auto", "Send the contract to ann@example.org"},
	{"auto", "What does the contract of Project Falcon say?"},
	{"auto", "What is the capital of France?"},
	{"auto-cheap", "Is the liability in this contract limited?"},
	{"auto-best", "hello"},
}

const row = "%-10s  %-44s  %-7s  %-9s  %-18s  %s\n"

// tour asks and prints who answered.
func (d *demo) tour(out io.Writer) error {
	fmt.Fprintf(out, row, "asked", "prompt", "model", "decision", "reason", "answer")
	for _, s := range stops {
		a, err := d.ask(s.model, s.prompt, func() {})
		if err != nil {
			return err
		}
		d.tell(out, s.model, s.prompt, a)
	}
	fmt.Fprintln(out, "\nThe big model is killed in the midst of an answer, asked while it is gone, and started again:")
	const prompt = "Explain the tax on this contract"
	a, err := d.cut(prompt)
	if err != nil {
		return err
	}
	d.tell(out, "auto", prompt, a)
	if a, err = d.ask("auto", prompt, func() {}); err != nil {
		return err
	}
	d.tell(out, "auto", prompt, a)
	if err := d.big.start(); err != nil {
		return err
	}
	time.Sleep(cooldown)
	if a, err = d.ask("auto", prompt, func() {}); err != nil {
		return err
	}
	d.tell(out, "auto", prompt, a)
	return nil
}

// cooldown is a little longer than demo.yaml leaves a model alone that has failed.
const cooldown = 2100 * time.Millisecond

// cut asks, and kills the big model once the third word is there.
func (d *demo) cut(prompt string) (answer, error) {
	d.big.mu.Lock()
	d.big.slow = 100 * time.Millisecond
	d.big.mu.Unlock()
	defer func() { d.big.mu.Lock(); d.big.slow = 0; d.big.mu.Unlock() }()
	n := 0
	return d.ask("auto", prompt, func() {
		if n++; n == 3 {
			d.big.kill()
		}
	})
}

func (d *demo) tell(out io.Writer, model, prompt string, a answer) {
	text := fmt.Sprintf("%.40q", a.text)
	switch {
	case a.failed != "":
		text += "  error: " + a.failed
	case !a.whole:
		text += "  (cut off)"
	}
	if len(prompt) > 44 {
		prompt = prompt[:43] + "…"
	}
	h := a.header.Get
	fmt.Fprintf(out, row, model, strings.ReplaceAll(prompt, "\n", " "), h("X-Switchyard-Model"), h("X-Switchyard-Decision"), h("X-Switchyard-Reason"), text)
}
