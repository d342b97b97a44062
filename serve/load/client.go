package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// stream is what one client saw: when it asked, and when each token came.
type stream struct {
	asked time.Time
	at    []time.Time
	asks  int // tokens
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

// ask sends a prompt of ids and reads n greedy tokens as they come. seen, which may be nil, is called behind each.
func (b *bench) ask(ctx context.Context, prompt []int32, n int, seen func(int)) (*stream, error) {
	body, err := json.Marshal(map[string]any{"model": modelName, "prompt": prompt, "max_tokens": n, "temperature": 0, "ignore_eos": true, "stream": true})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", b.url+"/v1/completions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	s := &stream{asked: time.Now(), asks: n}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		line, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok || bytes.Contains(line, []byte(`"finish_reason":"`)) {
			continue
		}
		if bytes.HasPrefix(line, []byte("[DONE]")) {
			break
		}
		if resp.StatusCode != http.StatusOK || bytes.HasPrefix(line, []byte(`{"error"`)) {
			return nil, fmt.Errorf("the server answered %d: %s", resp.StatusCode, line)
		}
		s.at = append(s.at, time.Now())
		if seen != nil {
			seen(len(s.at))
		}
	}
	if len(s.at) == 0 {
		return nil, fmt.Errorf("the server answered %d and no token", resp.StatusCode)
	}
	return s, lines.Err()
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
