package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// stream is what one client saw: when it asked, and when each token came.
type stream struct {
	asked  time.Time
	at     []time.Time
	events [][]byte
	tokens int // as the server counts them
	ended  bool
}

// first is the wait for the first token.
func (s *stream) first() time.Duration { return s.at[0].Sub(s.asked) }

// gaps are the times between tokens.
func (s *stream) gaps() []time.Duration {
	var out []time.Duration
	for i := 1; i < len(s.at); i++ {
		out = append(out, s.at[i].Sub(s.at[i-1]))
	}
	return out
}

// refused is an answer that is none.
type refused struct {
	status int
	body   string
}

func (r *refused) Error() string { return fmt.Sprintf("the server answered %d: %s", r.status, r.body) }

// ask sends a prompt of ids and reads n greedy tokens as they come. seen, which may be nil, is called behind each. A stream
// that breaks off comes with its error.
func (b *bench) ask(ctx context.Context, prompt []int32, n int, seen func(int)) (*stream, error) {
	return b.askWith(ctx, b.url, prompt, n, nil, seen)
}

// askWith is ask of some server, with more members of the body.
func (b *bench) askWith(ctx context.Context, url string, prompt []int32, n int, more map[string]any, seen func(int)) (*stream, error) {
	members := map[string]any{"model": modelName, "prompt": prompt, "max_tokens": n, "temperature": 0, "ignore_eos": true, "stream": true,
		"stream_options": map[string]any{"include_usage": true}}
	maps.Copy(members, more)
	body, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/v1/completions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	s := &stream{asked: time.Now()}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return nil, &refused{resp.StatusCode, string(text)}
	}
	if err := s.read(resp.Body, seen); err != nil {
		return s, err // what came until then
	}
	if len(s.at) == 0 || !s.ended {
		return nil, fmt.Errorf("a stream of %d events without an end", len(s.at))
	}
	return s, nil
}

// read takes the events of a stream; what they hold is looked at when all is over.
func (s *stream) read(r io.Reader, seen func(int)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20) // the routing of a text is one line
	for lines.Scan() {
		line, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		switch {
		case !ok || bytes.Contains(line, []byte(`"finish_reason":"`)):
		case bytes.HasPrefix(line, []byte("[DONE]")):
			s.ended = true
		case bytes.HasPrefix(line, []byte(`{"error"`)):
			return fmt.Errorf("the server ended a stream: %s", line)
		case bytes.Contains(line, []byte(`"choices":[]`)):
			var last struct {
				Usage struct {
					Completion int `json:"completion_tokens"`
				}
			}
			if err := json.Unmarshal(line, &last); err != nil {
				return err
			}
			s.tokens = last.Usage.Completion
		default:
			s.at = append(s.at, time.Now())
			s.events = append(s.events, bytes.Clone(line))
			if seen != nil {
				seen(len(s.at))
			}
		}
	}
	return lines.Err()
}

// text is what the events say.
func (s *stream) text() string {
	var out strings.Builder
	for _, e := range s.events {
		var c struct {
			Choices []struct{ Text string }
		}
		if json.Unmarshal(e, &c) == nil && len(c.Choices) > 0 {
			out.WriteString(c.Choices[0].Text)
		}
	}
	return out.String()
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func worst(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return slices.Max(d)
}
