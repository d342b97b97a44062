package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/serve"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// soakBody is request i of a soak: a prompt, a seed and a length of its own.
func soakBody(i int) string {
	prompts := []string{"And it came to pass", "if err != nil {", "My fellow citizens,", "railway (n):", "3 * 9 =", "func main() {"}
	return fmt.Sprintf(`{"model":%q,"prompt":%q,"max_tokens":%d,"temperature":%g,"seed":%d,"ignore_eos":true,"stream":true}`,
		name, prompts[i%len(prompts)], 8+i%25, float64(i%3)/2, i)
}

// read is a stream's text; leave, where not 0, is how many events the client takes before it goes.
func read(ctx context.Context, base string, i, leave int) (text string, done bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", base+"/v1/completions", strings.NewReader(soakBody(i)))
	if err != nil {
		return "", false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", false, fmt.Errorf("status %d", resp.StatusCode)
	}
	lines := bufio.NewScanner(resp.Body)
	for n := 0; lines.Scan(); n++ {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if data == "[DONE]" {
			return text, true, nil
		}
		var c struct {
			Choices []struct{ Text string }
			Error   any
		}
		if ok && json.Unmarshal([]byte(data), &c) == nil && len(c.Choices) > 0 {
			text += c.Choices[0].Text
		}
		if leave > 0 && n >= leave {
			return text, false, nil
		}
	}
	return text, false, lines.Err()
}

// Many clients at once, a tenth of which vanish: every other stream is that of the same request alone, none is lost, no
// goroutine and no page is left. With SWITCHYARD_SOAK=10m it lasts that long with a thousand clients.
func TestSoak(t *testing.T) {
	clients, length := 24, time.Second
	if d, err := time.ParseDuration(os.Getenv("SWITCHYARD_SOAK")); err == nil {
		clients, length = 1000, d
	}
	c := start(t, serve.Options{Engine: engine.Options{Parallel: 32, MaxQueue: 2 * clients}})
	const kinds = 60
	want := make([]string, kinds)
	for i := range want {
		var err error
		want[i], _, err = read(context.Background(), c.url, i, 0)
		require.NoError(t, err)
	}
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	heap := heapNow()
	var served, left atomic.Int64
	end := time.Now().Add(length)
	var wg sync.WaitGroup
	for k := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(k), 5))
			for time.Now().Before(end) {
				i, leave := rng.IntN(kinds), 0
				if rng.IntN(10) == 0 {
					leave = 1 + rng.IntN(12)
				}
				text, done, err := read(context.Background(), c.url, i, leave)
				switch {
				case err != nil:
					t.Errorf("request %d: %v", i, err)
					return
				case done:
					served.Add(1)
					if text != want[i] {
						t.Errorf("request %d: %q, alone %q", i, text, want[i])
						return
					}
				case leave == 0:
					t.Errorf("request %d: no end", i)
					return
				default:
					left.Add(1)
				}
			}
		})
	}
	wg.Wait()
	http.DefaultClient.CloseIdleConnections()
	assert.Positive(t, served.Load())
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+4 }, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, c.metric("switchyard_requests_running"))
	t.Logf("%d clients, %v: %d streams whole, %d left; heap %d MiB before, %d MiB after", clients, length, served.Load(), left.Load(), heap>>20, heapNow()>>20)
}

func heapNow() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Three replicas behind a plain proxy that hashes on the request: one that is killed takes its own streams with it and no
// other.
func TestReplicas(t *testing.T) {
	var replicas []*httptest.Server
	var targets []*httputil.ReverseProxy
	for range 3 {
		c := start(t, serve.Options{})
		u, err := url.Parse(c.url)
		require.NoError(t, err)
		hs := httptest.NewServer(httputil.NewSingleHostReverseProxy(u)) // killing this is what the clients see of a dead replica
		defer hs.Close()
		replicas = append(replicas, hs)
		u, err = url.Parse(hs.URL)
		require.NoError(t, err)
		p := httputil.NewSingleHostReverseProxy(u)
		p.FlushInterval = -1
		targets = append(targets, p)
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		targets[int(r.Header.Get("X-Request-Id")[0]-'0')%3].ServeHTTP(w, r)
	}))
	defer front.Close()
	results := make([]bool, 12)
	var wg sync.WaitGroup
	begun := make(chan bool, len(results))
	for i := range results {
		wg.Go(func() {
			body := fmt.Sprintf(`{"model":%q,"prompt":"And it","max_tokens":120,"ignore_eos":true,"stream":true}`, name)
			req, _ := http.NewRequest("POST", front.URL+"/v1/completions", strings.NewReader(body))
			req.Header.Set("X-Request-Id", fmt.Sprint(i%3))
			resp, err := http.DefaultClient.Do(req)
			begun <- true
			if err != nil {
				return
			}
			defer resp.Body.Close()
			lines := bufio.NewScanner(resp.Body)
			for lines.Scan() {
				results[i] = results[i] || lines.Text() == "data: [DONE]"
			}
		})
	}
	for range results {
		<-begun
	}
	replicas[1].CloseClientConnections()
	replicas[1].Listener.Close()
	wg.Wait()
	for i, whole := range results {
		if i%3 != 1 {
			assert.True(t, whole, "stream %d of a living replica", i)
		}
	}
}
