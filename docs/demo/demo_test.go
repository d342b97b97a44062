package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	d, err := open(context.Background(), "127.0.0.1:0", "127.0.0.1:0")
	require.NoError(t, err)
	defer d.close()
	t.Run("tour", func(t *testing.T) { tour(t, d) })
	t.Run("upstream killed", func(t *testing.T) { upstreamKilled(t, d) })
	t.Run("hangup", func(t *testing.T) { hangup(t, d) })
}

// What the demonstration prints: each prompt with the model, the route and the reason that the text of README names.
func tour(t *testing.T, d *demo) {
	var out bytes.Buffer
	require.NoError(t, d.tour(&out))
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		"coder code experts_match", "writer prose experts_match", "big law keyword", "writer law private", "writer law private", "big rest cascade_unsure",
		"writer default no_match", "big default default", "", "", "big law keyword", "writer law upstream_failed", "big law keyword",
	} {
		line := strings.Join(strings.Fields(lines[1+i]), " ")
		require.Contains(t, line, want)
		require.NotContains(t, line, "cut off")
		require.Equal(t, i == 10, strings.Contains(line, "error: broken_stream"), line)
	}
	log, err := os.ReadFile(filepath.Join(d.dir, "decisions.jsonl"))
	require.NoError(t, err)
	require.Equal(t, 11, bytes.Count(log, []byte("\n")))
	require.NotContains(t, string(log), "contract")
}

// The upstream is killed in mid-stream: the client has the words that came, an error that says so, and no mark of an end; the next
// request is answered here.
func upstreamKilled(t *testing.T, d *demo) {
	a, err := d.cut("the contract")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(words, a.text), a.text)
	require.GreaterOrEqual(t, len(strings.Fields(a.text)), 3)
	require.Less(t, len(a.text), len(words))
	require.Equal(t, "broken_stream", a.failed)
	require.False(t, a.whole)
	a, err = d.ask("auto", "the contract", func() {})
	require.NoError(t, err)
	require.Equal(t, "writer", a.header.Get("X-Switchyard-Model"))
	require.True(t, a.whole)
}

// SIGHUP: a good file counts from the next request on, a bad one is logged with its line and changes nothing.
func hangup(t *testing.T, d *demo) {
	if runtime.GOOS == "windows" {
		t.Skip("no SIGHUP")
	}
	path := filepath.Join(d.dir, "demo.yaml")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	change := func(old, new string) {
		require.Contains(t, string(text), old)
		require.NoError(t, os.WriteFile(path, bytes.Replace(text, []byte(old), []byte(new), 1), 0o600))
		require.NoError(t, d.cmd.Process.Signal(syscall.SIGHUP))
	}
	exists := func(name string) bool {
		resp, err := http.Get(d.url + "/v1/models/" + name)
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	require.False(t, exists("mine"))
	change("  auto-cheap:", "  mine:")
	require.Eventually(t, func() bool { return exists("mine") }, 10*time.Second, 20*time.Millisecond)
	require.False(t, exists("auto-cheap"))
	change("model: coder}", "model: coda}")
	require.Eventually(t, func() bool {
		return strings.Contains(d.errs.String(), "demo.yaml:35: virtual.auto.routes[1].model: want one of models: coder, writer; or of upstreams: big, found \\\"coda\\\"")
	}, 10*time.Second, 20*time.Millisecond, "%s", d.errs)
	require.True(t, exists("mine"))
}
