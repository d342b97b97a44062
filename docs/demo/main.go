// Command demo shows the request-level mixture on one machine and with no download: it starts a toy that stands for a big model elsewhere,
// then `switchyard serve --config docs/demo/demo.yaml`, sends prompts, and prints who answered and why. In the end it kills the big model
// in the midst of an answer.
//
// usage: go run ./docs/demo [-once]
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	once := flag.Bool("once", false, "end after the tour")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d, err := open(ctx, "127.0.0.1:8080", "127.0.0.1:9100")
	if err != nil {
		log.Fatal("demo: ", err)
	}
	defer d.close()
	if err := d.tour(os.Stdout); err != nil {
		log.Print("demo: ", err)
		return
	}
	if *once {
		return
	}
	fmt.Printf("\nThe server stays until Ctrl-C. Its decisions are logged in %s, counted at %s/metrics. Try\n\n", filepath.Join(d.dir, "decisions.jsonl"), d.url)
	fmt.Printf("    curl -i %s/v1/chat/completions -d '{\"model\":\"auto\",\"messages\":[{\"role\":\"user\",\"content\":\"func main() {\"}]}'\n", d.url)
	<-ctx.Done()
}

// demo is the toy and the server at work.
type demo struct {
	url  string // of the server
	dir  string // of the configuration and the log
	big  *elsewhere
	cmd  *exec.Cmd
	errs *said
	done chan error
}

// said is what the server writes to stderr; it is read while it grows.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

const key = "a-key-for-the-demo"

// open starts both. Port 0 takes a free one.
func open(ctx context.Context, addr, big string) (*demo, error) {
	d := &demo{big: &elsewhere{addr: big, key: key}, errs: new(said), done: make(chan error, 1)}
	if err := d.big.start(); err != nil {
		return nil, err
	}
	if strings.HasSuffix(addr, ":0") {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		addr = ln.Addr().String()
		ln.Close()
	}
	d.url = "http://" + addr
	config, err := d.configuration(addr)
	if err != nil {
		return nil, err
	}
	binary, err := d.build(ctx)
	if err != nil {
		return nil, err
	}
	d.cmd = exec.CommandContext(ctx, binary, "serve", "--config", config)
	d.cmd.Env, d.cmd.Stderr = append(os.Environ(), "DEMO_KEY="+key), d.errs
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(os.Interrupt) }
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.done <- d.cmd.Wait() }()
	return d, d.ready(ctx)
}

// configuration is demo.yaml in a folder of its own, with the addresses that were taken.
func (d *demo) configuration(addr string) (path string, err error) {
	_, file, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "demo.yaml"))
	if errors.Is(err, os.ErrNotExist) { // built with -trimpath: from the module's root
		text, err = os.ReadFile(filepath.Join("docs", "demo", "demo.yaml"))
	}
	if errors.Is(err, os.ErrNotExist) {
		text, err = os.ReadFile("demo.yaml")
	}
	if err != nil {
		return "", err
	}
	if d.dir, err = os.MkdirTemp("", "switchyard-demo-"); err != nil {
		return "", err
	}
	text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("127.0.0.1:8080"), []byte(addr)), []byte("127.0.0.1:9100"), []byte(d.big.addr))
	path = filepath.Join(d.dir, "demo.yaml")
	return path, os.WriteFile(path, text, 0o600)
}

// build makes the binary, so that signals reach it and not `go run`.
func (d *demo) build(ctx context.Context) (string, error) {
	binary := filepath.Join(d.dir, "switchyard")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/seed2fbf7788/switchyard/cmd/switchyard").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
}

func (d *demo) ready(ctx context.Context) error {
	for {
		if resp, err := http.Get(d.url + "/health"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-d.done:
			return fmt.Errorf("the server ended: %v: %s", err, d.errs)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *demo) close() {
	d.cmd.Process.Signal(os.Interrupt)
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
		d.cmd.Process.Kill()
	}
	d.big.kill()
	os.RemoveAll(d.dir)
}

// answer is what a client sees of one request.
type answer struct {
	header http.Header
	text   string
	failed string // code of an error within a stream
	whole  bool   // it ended with [DONE]
}

// ask sends a prompt and reads the stream; each is called with every piece.
func (d *demo) ask(model, prompt string, each func()) (a answer, err error) {
	body, _ := json.Marshal(map[string]any{"model": model, "stream": true, "max_tokens": 16, "temperature": 0, "messages": []any{map[string]string{"role": "user", "content": prompt}}})
	resp, err := http.Post(d.url+"/v1/chat/completions", "application/json", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a.header = resp.Header
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return a, fmt.Errorf("%s: %s", resp.Status, text)
	}
	for in := bufio.NewScanner(resp.Body); in.Scan(); {
		data, ok := strings.CutPrefix(in.Text(), "data: ")
		a.whole = a.whole || data == "[DONE]"
		if !ok || a.whole {
			continue
		}
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
			Error   struct{ Code string }
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return a, err
		}
		a.failed = chunk.Error.Code
		for _, c := range chunk.Choices {
			if a.text += c.Delta.Content; c.Delta.Content != "" {
				each()
			}
		}
	}
	return a, nil
}
