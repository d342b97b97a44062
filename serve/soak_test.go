package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
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
	ended := make(chan bool)
	go func() { wg.Wait(); close(ended) }()
	heaps := heapsUntil(ended, length/10)
	http.DefaultClient.CloseIdleConnections()
	assert.Positive(t, served.Load())
	if n := len(heaps); n >= 8 { // caches fill at first; then nothing may grow
		early, late := slices.Max(heaps[n/4:n/2]), slices.Max(heaps[3*n/4:])
		assert.LessOrEqual(t, late, early+early/4+8<<20, "the heap grows: %d", heaps)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+4 }, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, c.metric("switchyard_requests_running"))
	t.Logf("%d clients, %v: %d streams whole, %d left; heap %d MiB before, %d MiB after, in between %d",
		clients, length, served.Load(), left.Load(), heap>>20, heapNow()>>20, mib(heaps))
}

// heapsUntil reads the live heap again and again.
func heapsUntil(ended <-chan bool, every time.Duration) (out []uint64) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return out
		case <-tick.C:
			out = append(out, heapNow())
		}
	}
}

func mib(bytes []uint64) []uint64 {
	out := make([]uint64, len(bytes))
	for i, b := range bytes {
		out[i] = b >> 20
	}
	return out
}

func heapNow() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
