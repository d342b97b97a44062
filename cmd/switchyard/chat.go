package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tokenizer/chat"
)

// chatPrompt asks one question under the model's chat template, for `run --chat`. It gives the session in which the
// answer is generated.
func chatPrompt(ctx context.Context, m *model.Model, text string, o model.GenerateOptions) (*model.Session, iter.Seq2[model.Token, error], error) {
	c, err := m.NewChat()
	if err != nil {
		return nil, nil, err
	}
	return c.Session(), c.Say(ctx, text, o), nil
}

// chatFlags are the flags of `chat`.
type chatFlags struct {
	modelFlags
	sampleFlags
	system string
	render bool
}

func chatCommand(ctx context.Context, s stdio, args []string) error {
	var f chatFlags
	fs := newFlags(s, "chat", "[-m DIR]   (/help inside lists what can be typed)")
	f.modelFlags.add(fs)
	f.sampleFlags.add(fs, 0)
	fs.StringVar(&f.system, "system", "", "system `message`")
	fs.BoolVar(&f.render, "render", false, "read a conversation as JSON from stdin and write the rendered prompt, nothing else")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: want no arguments (text is typed, or read from stdin), found %q", errUsage, rest[0])
	}
	if err := f.sampleFlags.finish(); err != nil {
		return err
	}
	if f.render {
		return render(s, f.dir)
	}
	m, err := f.open(ctx, s, 0)
	if err != nil {
		return err
	}
	defer m.Close()
	c, err := m.NewChat()
	if err != nil {
		return err
	}
	defer c.Close()
	c.System(f.system)
	return (&talk{s: s, m: m, c: c, o: f.gen}).loop(ctx)
}

// render writes the prompt of one conversation, byte for byte.
func render(s stdio, dir string) error {
	if dir == "" {
		return fmt.Errorf("%w: --render: want -m, a folder with a chat template, found none", errUsage)
	}
	t, err := chat.Open(dir)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(s.in)
	if err != nil {
		return err
	}
	r, err := chat.ParseRequest(data)
	if err != nil {
		return err
	}
	text, err := t.Render(r)
	if err != nil {
		return err
	}
	_, err = io.WriteString(s.out, text)
	return err
}

// talk is a running conversation at the terminal.
type talk struct {
	s stdio
	m *model.Model
	c *model.Chat
	o model.GenerateOptions
}

// loop reads lines and answers until the input ends. Ctrl-C stops an answer; at the prompt it leaves.
func (t *talk) loop(ctx context.Context) error {
	tty := isTerminal(t.s.in)
	if tty {
		fmt.Fprintln(t.s.err, "Type a message, or /help. Ctrl-C stops an answer, Ctrl-D leaves.")
		if t.c.Plain() {
			fmt.Fprintln(t.s.err, "This model has no chat template: turns are written as \"User:\" and \"Assistant:\".")
		}
	}
	lines := readLines(t.s.in)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	for {
		if tty {
			fmt.Fprint(t.s.err, "> ")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-interrupts:
			return context.Canceled
		case line := <-lines:
			if line.err == io.EOF {
				return nil
			}
			if line.err != nil {
				return line.err
			}
			if done, err := t.line(ctx, line.text, interrupts); done || err != nil {
				return err
			}
		}
	}
}

// line does what one line asks for.
func (t *talk) line(ctx context.Context, text string, interrupts <-chan os.Signal) (done bool, err error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return false, nil
	case strings.HasPrefix(text, "/"):
		return t.slash(text)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan struct{})
	go func() {
		select {
		case <-interrupts:
			close(stopped)
			cancel()
		case <-ctx.Done():
		}
	}()
	return false, t.answer(ctx, text, stopped)
}

// answer streams one answer. A stopped answer is no error; neither is a question that the template refuses or that
// does not fit, which is said and forgotten.
func (t *talk) answer(ctx context.Context, text string, stopped <-chan struct{}) error {
	for tok, err := range t.c.Say(ctx, text, t.o) {
		if err == nil {
			_, err = io.WriteString(t.s.out, tok.Text)
			if err != nil {
				return err
			}
			continue
		}
		select {
		case <-stopped:
			fmt.Fprintln(t.s.err, "\n(stopped)")
			return nil
		default:
		}
		if errors.Is(err, context.Canceled) {
			return err
		}
		fmt.Fprintf(t.s.err, "switchyard chat: %s\n", oneLine(err))
		return nil
	}
	fmt.Fprintln(t.s.out)
	return nil
}

const slashHelp = `/system TEXT  set the system message (without TEXT: remove it)
/history      show the conversation
/prompt       show what the model would read
/undo         take the last question and answer back
/reset        forget the conversation, keep the system message
/stats        tokens and speed of the last answer
/quit         leave`

// slash does a command.
func (t *talk) slash(text string) (done bool, err error) {
	name, rest, _ := strings.Cut(text, " ")
	switch name {
	case "/quit", "/exit":
		return true, nil
	case "/help":
		fmt.Fprintln(t.s.err, slashHelp)
	case "/system":
		t.c.System(strings.TrimSpace(rest))
	case "/history":
		for _, m := range t.c.Turns() {
			fmt.Fprintf(t.s.err, "%s: %s\n", m.Role, m.Content)
		}
	case "/prompt":
		p, err := t.c.Prompt()
		if err != nil {
			p = oneLine(err)
		}
		fmt.Fprintln(t.s.err, p)
	case "/undo":
		if !t.c.Undo() {
			fmt.Fprintln(t.s.err, "nothing to take back")
		}
	case "/reset":
		t.c.Reset()
	case "/stats":
		speed(t.s.err, t.m, t.c.Session().Stats())
	default:
		fmt.Fprintf(t.s.err, "unknown command %s; /help lists them\n", name)
	}
	return false, nil
}
