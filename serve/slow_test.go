package serve_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/serve"
)

// listening is a server with a listener of its own, deadlines included.
func listening(t *testing.T, o serve.Options) *client {
	o.Models = []serve.Source{{Name: name, Open: openBuiltin}}
	srv, err := serve.New(o)
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, ln, time.Second) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	c := &client{t, "http://" + ln.Addr().String(), srv}
	require.Eventually(t, func() bool { return c.status("GET", "/health", "") == 200 }, 10*time.Second, 5*time.Millisecond)
	return c
}

// dial opens a connection and writes the beginning of a request.
func (c *client) dial(text string) *net.TCPConn {
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	require.NoError(c.t, err)
	c.t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, text)
	require.NoError(c.t, err)
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	return conn.(*net.TCPConn)
}

// request is a POST as bytes on the wire; claimed is its Content-Length.
func request(path, body string, claimed int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, claimed, body)
}

// Clients that send a header or a body, also one that nobody wants to read, byte by byte are cut off by the clock, however steadily they send; others are
// served meanwhile.
func TestSlowClients(t *testing.T) {
	c := listening(t, serve.Options{HeaderTimeout: 300 * time.Millisecond, BodyTimeout: 300 * time.Millisecond})
	header := c.dial("POST /v1/completions HTTP/1.1\r\nHost: x\r\n")
	body := c.dial(request("/v1/completions", "{", 1000))
	unread := c.dial(request("/nothing", "{", 1000))
	stop := make(chan struct{})
	defer close(stop)
	for conn, drop := range map[*net.TCPConn]string{header: "X-A: b\r\n", body: " ", unread: " "} {
		go func() { // a write fails when the server has closed the connection
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					if _, err := io.WriteString(conn, drop); err != nil {
						return
					}
				}
			}
		}()
	}
	want := at(c.post("/v1/completions", textBody("")), "choices", 0, "text")
	resp, err := http.ReadResponse(bufio.NewReader(body), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
	io.ReadAll(unread)
	text, _ := io.ReadAll(header) // it ends: the connection is closed
	assert.NotContains(t, string(text), " 200 ")
	assert.Equal(t, want, at(c.post("/v1/completions", textBody("")), "choices", 0, "text"))
}

// A client that does not read its stream is dropped after the time to take it, and its place is free.
func TestClientThatDoesNotRead(t *testing.T) {
	c := listening(t, serve.Options{WriteTimeout: 200 * time.Millisecond})
	body := textBody(`,"ignore_eos":true,"max_tokens":480,"n":8,"logprobs":5,"stream":true`)
	conn := c.dial("")
	conn.SetReadBuffer(4 << 10)
	_, err := io.WriteString(conn, request("/v1/completions", body, len(body)))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return c.metric("switchyard_requests_running") > 0 }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return c.metric("switchyard_requests_running") == 0 }, 30*time.Second, 5*time.Millisecond)
	c.post("/v1/completions", textBody(""))
}

// A client that closes its side after the request is gone, as far as anybody can tell: nothing crashes, its place is freed,
// and a body that was cut by the close is refused.
func TestHalfClosed(t *testing.T) {
	c := listening(t, serve.Options{})
	body := textBody(`,"ignore_eos":true,"max_tokens":480,"stream":true`)
	conn := c.dial(request("/v1/completions", body, len(body)))
	require.NoError(t, conn.CloseWrite())
	io.Copy(io.Discard, conn)
	require.Eventually(t, func() bool { return c.metric("switchyard_requests_running") == 0 }, 10*time.Second, time.Millisecond)
	conn = c.dial(request("/v1/completions", body[:20], len(body)))
	require.NoError(t, conn.CloseWrite())
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusRequestTimeout, answer.StatusCode)
	c.post("/v1/completions", textBody(""))
}
