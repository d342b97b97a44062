// Command switchyard runs mixture-of-experts transformers from Hugging Face folders, or the one built in, with no cgo.
//
// This package holds flags and printing only; what the commands do lives in the library.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/seed2fbf7788/switchyard/serve/config"
)

// command is one subcommand. run gets the arguments behind its name.
type command struct {
	name, usage, does string
	run               func(ctx context.Context, io stdio, args []string) error
}

// stdio is what a command reads and writes, so that tests can hand it buffers.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

func commands() []command {
	return []command{
		{"run", "[-m DIR] [PROMPT]", "continue a prompt, streaming to stdout", runCommand},
		{"chat", "[-m DIR]", "talk with a model, turn by turn", chatCommand},
		{"logits", "-m DIR --ids 1,2,3 -o F.safetensors", "one forward pass: logits and routing to a file", logitsCommand},
		{"trace", "[-m DIR] -f TEXT -o F.safetensors", "which experts worked on every token, to a file", traceCommand},
		{"gate", "fit|merge …", "learn routers or balancing biases; bake them into a checkpoint", gateCommand},
		{"embed", "-m DIR [TEXT | --jsonl]", "an encoder's embedding of a text", embedCommand},
		{"classify", "-m DIR [TEXT | --jsonl]", "what an encoder's classification head says of a text", classifyCommand},
		{"report", "TRACE… -o report.html", "metrics and pictures of traces", reportCommand},
		{"route", "explain|train|eval|calibrate …", "which prompts want a strong model: learn it, measure it, explain it", routeCommand},
		{"eval", "[-m DIR] -f TEXT", "perplexity and bits per byte of a text", evalCommand},
		{"sweep", "[-m DIR] -f TEXT --drop-each", "many gates tried on a text, and ranked", sweepCommand},
		{"prune", "[-m DIR] -o OUT --keep N -f TEXT", "a smaller checkpoint, without the experts that matter least", pruneCommand},
		{"inspect", "[-m DIR]", "the resolved configuration, the gate of every layer, the tensors", inspectCommand},
		{"quantize", "SRC DST --scheme int8|int4|mixed", "a packed checkpoint, which opens with no work to do", quantizeCommand},
		{"tokenize", "[-m DIR] [--decode] [TEXT]", "text to ids and back", tokenizeCommand},
		{"bench", "model [--shape NAME]", "speed of models against the limits of this machine", benchCommand},
		{"serve", "[-m NAME=DIR…] [--config F]", "answer the OpenAI API over HTTP", serveCommand},
		{"version", "", "version, Go release, platform, levels of this CPU", versionCommand},
	}
}

// Exit statuses.
const (
	exitError       = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// errUsage marks what the caller of the program got wrong; the exit status is 2.
var errUsage = errors.New("usage")

func main() {
	signals := []os.Signal{syscall.SIGTERM, os.Interrupt}
	if len(os.Args) > 1 && os.Args[1] == "chat" {
		signals = signals[:1] // there Ctrl-C stops an answer, not the program
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(dispatch(ctx, stdio{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

// dispatch finds the command, runs it and turns its error into an exit status.
func dispatch(ctx context.Context, s stdio, args []string) int {
	if len(args) == 0 {
		help(s.err)
		return exitUsage
	}
	name := args[0]
	if name == "help" || name == "-h" || name == "--help" {
		help(s.out)
		return 0
	}
	for _, c := range commands() {
		if c.name == name {
			return status(s, c.name, c.run(ctx, s, args[1:]))
		}
	}
	fmt.Fprintf(s.err, "switchyard: unknown command %q; switchyard help lists them\n", name)
	return exitUsage
}

func status(s stdio, name string, err error) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(s.err, "\nswitchyard: interrupted")
		return exitInterrupted
	}
	var faults config.Faults
	if errors.As(err, &faults) { // each has a file and a line of its own
		for line := range strings.Lines(faults.Error()) {
			fmt.Fprintf(s.err, "switchyard %s: %s\n", name, strings.TrimSuffix(line, "\n"))
		}
		return exitError
	}
	fmt.Fprintf(s.err, "switchyard %s: %s\n", name, oneLine(err))
	if errors.Is(err, errUsage) {
		fmt.Fprintf(s.err, "switchyard %s -h lists the flags\n", name)
		return exitUsage
	}
	return exitError
}

// oneLine joins the lines of a joined error.
func oneLine(err error) string {
	return strings.TrimPrefix(strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "), "usage: ")
}

func help(w io.Writer) {
	fmt.Fprintln(w, "switchyard: mixture-of-experts transformers in pure Go\n\nUsage: switchyard COMMAND [flags]")
	fmt.Fprintln(w)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %-38s %s\n", c.name, c.usage, c.does)
	}
	fmt.Fprintln(w, "\nWithout -m the built-in model is used. switchyard COMMAND -h lists the flags of a command.")
}
