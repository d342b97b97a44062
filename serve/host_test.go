package serve_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/serve"
)

// counted is a source that counts how often it is opened.
func counted(name, key string, n *atomic.Int64) serve.Source {
	return serve.Source{Name: name, Key: key, Open: func() (*model.Model, error) { n.Add(1); return openBuiltin() }}
}

func host(t *testing.T, o serve.Options) (*serve.Host, *client) {
	h, err := serve.NewHost(o)
	require.NoError(t, err)
	hs := httptest.NewServer(h.Handler())
	t.Cleanup(func() { hs.CloseClientConnections(); hs.Close(); assert.NoError(t, h.Close()) })
	c := &client{t: t, url: hs.URL}
	require.Eventually(t, func() bool { return c.status("GET", "/health", "") == 200 }, 10*time.Second, 5*time.Millisecond)
	return h, c
}

const completionOf = `{"model":"%","prompt":"And it came to pass","max_tokens":24,"temperature":0,"stream":true}`

// Twenty changes while eight clients ask: every stream is whole and the same as before, the model that stays is opened once, the
// one that changes with every change anew.
func TestReloadUnderLoad(t *testing.T) {
	var stays, changes atomic.Int64
	options := func(key string) serve.Options {
		return serve.Options{Models: []serve.Source{counted("stays", "k", &stays), counted("changes", key, &changes)}}
	}
	h, c := host(t, options("0"))
	want := c.events("/v1/completions", strings.Replace(completionOf, "%", "stays", 1))
	text := func(list []map[string]any) (s string) {
		for _, e := range list {
			part, _ := at(e, "choices", 0, "text").(string)
			s += part
		}
		return s
	}
	stop := make(chan struct{})
	var asked atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				name := []string{"stays", "changes"}[i%2]
				assert.Equal(t, text(want), text(c.events("/v1/completions", strings.Replace(completionOf, "%", name, 1))))
				asked.Add(1)
			}
		})
	}
	for i := range 20 {
		require.NoError(t, h.Reload(context.Background(), options(string(rune('a'+i)))))
	}
	close(stop)
	wg.Wait()
	require.Greater(t, asked.Load(), int64(8))
	require.EqualValues(t, 1, stays.Load())
	require.EqualValues(t, 21, changes.Load())
	resp := c.do("GET", "/metrics", "")
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(data), `switchyard_steps_total{model="stays"}`, "the metrics of the newest server")
}

// What cannot be opened changes nothing.
func TestReloadThatFails(t *testing.T) {
	var n atomic.Int64
	h, c := host(t, serve.Options{Models: []serve.Source{counted("a", "k", &n)}})
	broken := serve.Source{Name: "b", Key: "b", Open: func() (*model.Model, error) { return nil, errors.New("no such folder") }}
	err := h.Reload(context.Background(), serve.Options{Models: []serve.Source{counted("a", "k", &n), broken}})
	require.ErrorContains(t, err, "no such folder")
	require.Error(t, h.Reload(context.Background(), serve.Options{}))
	require.Equal(t, 200, c.status("POST", "/v1/completions", strings.Replace(completionOf, "%", "a", 1)))
	require.EqualValues(t, 1, n.Load())
	require.NoError(t, h.Reload(context.Background(), serve.Options{Models: []serve.Source{counted("b", "k", &n)}}))
	require.Equal(t, 404, c.status("POST", "/v1/completions", strings.Replace(completionOf, "%", "a", 1)))
	require.Equal(t, 200, c.status("POST", "/v1/completions", strings.Replace(completionOf, "%", "b", 1)))
}

// A stream that began before a change goes on with the model that is gone from the new options.
func TestReloadDuringAStream(t *testing.T) {
	var n atomic.Int64
	h, c := host(t, serve.Options{Models: []serve.Source{counted("a", "a", &n)}})
	resp := c.do("POST", "/v1/completions", `{"model":"a","prompt":"And it came","max_tokens":300,"ignore_eos":true,"stream":true}`)
	defer resp.Body.Close()
	require.NoError(t, h.Reload(context.Background(), serve.Options{Models: []serve.Source{counted("b", "b", &n)}}))
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(data), `"finish_reason":"length"`)
	require.True(t, strings.HasSuffix(string(data), "data: [DONE]\n\n"))
	require.Equal(t, http.StatusNotFound, c.status("POST", "/v1/completions", strings.Replace(completionOf, "%", "a", 1)))
}
