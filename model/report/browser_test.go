package report_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model/report"
)

// browser finds a Chromium, or skips the test.
func browser(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium here; apt-get install chromium")
	return ""
}

// dom is the document that a browser has made of a page after its script has run.
func dom(t *testing.T, r *report.Report, fragment string) string {
	chromium := browser(t)
	path := filepath.Join(t.TempDir(), "report.html")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, r.Write(f))
	require.NoError(t, f.Close())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=3000", "--dump-dom", "file://"+path+fragment)
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}

// A real browser draws the page: the script ran, the drawings are there, a token shows its experts, and nothing that tokens
// and labels hold was run.
func TestPageInABrowser(t *testing.T) {
	w := example()
	w.labels[1] = markup
	page := dom(t, made(t, hostile(t), w.file(t, "t"), w.file(t, "again")), "#t3")
	require.Contains(t, page, `data-ready="yes"`)
	assert.Contains(t, page, "<title>Routing report: ")
	assert.NotContains(t, page, "<title>owned")
	assert.NotContains(t, page, "<img")
	_, matrix, ok := strings.Cut(page, `<div class="matrix"`)
	require.True(t, ok)
	matrix, _, _ = strings.Cut(matrix, "</div>")
	assert.Equal(t, 16, strings.Count(matrix, "<rect"), "four by four experts")
	assert.Contains(t, matrix, "of the tokens of expert 0, 66.7 % have 1")
	_, bars, _ := strings.Cut(page, `<div class="bars">`)
	bars, _, _ = strings.Cut(bars, "</div>")
	assert.Equal(t, 8, strings.Count(bars, "<rect"), "two texts, four experts")
	assert.Contains(t, bars, "&lt;script&gt;")
	_, detail, _ := strings.Cut(page, `<aside class="detail"`)
	detail, _, _ = strings.Cut(detail, "</aside>")
	assert.Contains(t, detail, "token 1, position 0")
	assert.Equal(t, 3, strings.Count(detail, `class="chip"`), "one expert in layer 3, two in layer 5")
	assert.Contains(t, page, "saturation")
	assert.Equal(t, 2, strings.Count(page, `<article class="trace"`))
}
