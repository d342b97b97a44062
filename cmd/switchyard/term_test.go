//go:build unix

package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain makes the test binary the program itself where a test starts it so.
func TestMain(m *testing.M) {
	if os.Getenv("SWITCHYARD_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// kill -TERM under load loses no stream: every one goes on to its own end, and the process leaves with status 0.
func TestTermLosesNoStream(t *testing.T) {
	cmd := exec.Command(os.Args[0], "serve", "--addr", "127.0.0.1:0", "--drain", "3m")
	cmd.Env = append(os.Environ(), "SWITCHYARD_TEST_MAIN=1")
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill() //nolint:errcheck // it has ended
	base := make(chan string, 1)
	go func() {
		found := regexp.MustCompile(`127\.0\.0\.1:[1-9][0-9]*`)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if at := found.FindString(lines.Text()); at != "" {
				select {
				case base <- "http://" + at:
				default:
				}
			}
		}
	}()
	var url string
	select {
	case url = <-base:
	case <-time.After(time.Minute):
		t.Fatal("the server does not tell its address")
	}
	require.Eventually(t, func() bool {
		resp, err := http.Get(url + "/health")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, time.Minute, 20*time.Millisecond)

	const streams, tokens = 8, 300
	begun, ends := make(chan bool, streams), make(chan [2]bool, streams)
	for i := range streams {
		go func() { ends <- follow(url, i, tokens, begun) }()
	}
	for range streams {
		<-begun
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	for range streams {
		assert.Equal(t, [2]bool{true, true}, <-ends, "whole, and ended with [DONE]")
	}
	assert.NoError(t, cmd.Wait())
}

// follow reads a stream to its end. It says whether usage counts all tokens and whether the end mark came.
func follow(url string, i, tokens int, begun chan<- bool) (got [2]bool) {
	told := false
	defer func() {
		if !told {
			begun <- true
		}
	}()
	body := fmt.Sprintf(`{"model":"cambrian-moe-7m","prompt":"%d wagons","max_tokens":%d,"ignore_eos":true,"seed":%d,"stream":true,"stream_options":{"include_usage":true}}`, i, tokens, i)
	resp, err := http.Post(url+"/v1/completions", "application/json", strings.NewReader(body))
	if err != nil {
		return got
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if !told && strings.HasPrefix(lines.Text(), "data: ") {
			begun <- true
			told = true
		}
		got[0] = got[0] || strings.Contains(lines.Text(), fmt.Sprintf(`"completion_tokens":%d,`, tokens))
		got[1] = got[1] || lines.Text() == "data: [DONE]"
	}
	return got
}
