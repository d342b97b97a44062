package clients

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/buraksezer/consistent"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// replica is a server in a process of its own.
type replica struct {
	url  string
	proc *exec.Cmd
}

var saysURL = regexp.MustCompile(`at (http://[^/ ]+)/`)

func startReplica(t *testing.T) *replica {
	bin := os.Getenv("SWITCHYARD_BIN")
	if bin == "" {
		t.Skip("SWITCHYARD_BIN is not set; .ci/clients builds it")
	}
	r := &replica{proc: exec.Command(bin, "serve", "--addr", "127.0.0.1:0")}
	log, err := r.proc.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, r.proc.Start())
	t.Cleanup(func() { r.proc.Process.Kill(); r.proc.Wait() })
	lines := bufio.NewScanner(log)
	for r.url == "" && lines.Scan() {
		if m := saysURL.FindStringSubmatch(lines.Text()); m != nil {
			r.url = m[1]
		}
	}
	require.NotEmpty(t, r.url)
	go io.Copy(io.Discard, log)
	require.Eventually(t, func() bool { return healthy(r.url) }, 20*time.Second, 20*time.Millisecond)
	return r
}

func healthy(url string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", url+"/health", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == 200
}

// balancer is a plain proxy over a ring of replicas: a conversation goes where its key hashes to, so that it finds its prefix
// in the cache. A replica that does not take a connection leaves the ring, and the request tries the next one.
type balancer struct {
	ring *consistent.Consistent
	mu   sync.Mutex
	by   map[string]string // key → the replica that had it last
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("X-Conversation")
	if len(b.ring.GetMembers()) == 0 {
		http.Error(w, "no replica is left", http.StatusBadGateway)
		return
	}
	at := b.ring.LocateKey([]byte(key)).String()
	b.mu.Lock()
	b.by[key] = at
	b.mu.Unlock()
	target, _ := url.Parse(at)
	p := httputil.NewSingleHostReverseProxy(target)
	p.FlushInterval = -1
	p.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
		b.ring.Remove(at)
		r.Body, _ = r.GetBody()
		b.ServeHTTP(w, r)
	}
	p.ServeHTTP(w, r)
}

func (b *balancer) had(key string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.by[key]
}

// whole reads the stream of one conversation and says whether it came to its end.
func whole(t *testing.T, front, key string, begun func()) bool {
	body := fmt.Sprintf(`{"model":%q,"prompt":"And it came to pass","max_tokens":400,"ignore_eos":true,"stream":true}`, model)
	req, err := http.NewRequest("POST", front+"/v1/completions", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("X-Conversation", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	done := false
	for lines.Scan() {
		if begun != nil {
			begun()
			begun = nil
		}
		done = done || lines.Text() == "data: [DONE]"
	}
	return done
}

// Three replicas, one killed with no warning while all stream: only its own streams end early, and whoever comes afterwards,
// its conversations included, is served by the others, where the rest stay where they were.
func TestReplicas(t *testing.T) {
	// Load 5 bounds no replica, so that none of the others' conversations move when one is gone.
	front := &balancer{by: map[string]string{}, ring: consistent.New(nil, consistent.Config{Hasher: hasher{}, PartitionCount: 71, ReplicationFactor: 20, Load: 5})}
	replicas := map[string]*replica{}
	for range 3 {
		r := startReplica(t)
		replicas[r.url] = r
		front.ring.Add(member(r.url))
	}
	srv := http.Server{Handler: buffered(front)}
	ln := listen(t)
	go srv.Serve(ln)
	defer srv.Close()
	address := "http://" + ln.Addr().String()

	keys := make([]string, 15)
	results := make([]bool, len(keys))
	var all, started sync.WaitGroup
	started.Add(len(keys))
	for i := range keys {
		keys[i] = fmt.Sprintf("conversation-%d", i)
		all.Go(func() { results[i] = whole(t, address, keys[i], started.Done) })
	}
	started.Wait()
	dead := front.had(keys[0])
	before := map[string]string{}
	for _, k := range keys {
		before[k] = front.had(k)
	}
	require.NoError(t, replicas[dead].proc.Process.Kill())
	all.Wait()
	for i, k := range keys {
		assert.Equal(t, before[k] != dead, results[i], "%s at %s, killed %s", k, before[k], dead)
	}
	for _, k := range keys {
		assert.True(t, whole(t, address, k, nil), k)
		if before[k] != dead {
			assert.Equal(t, before[k], front.had(k), k)
		}
	}
}
