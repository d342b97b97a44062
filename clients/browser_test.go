package clients

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page works in a real browser, by keyboard alone: a question is asked, text streams in, the heat map fills, Escape
// stops an answer. SWITCHYARD_SCREENSHOT names a file for a picture.
func TestPage(t *testing.T) {
	url := server(t)
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
		}
	}
	if path == "" {
		t.Skip("no Chromium here")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 900))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 60*time.Second)
	defer cancel()

	do(t, ctx, chromedp.Navigate(url))
	do(t, ctx, chromedp.WaitReady(`#model option`))
	do(t, ctx, chromedp.SetValue(`#max_tokens`, "60"))
	do(t, ctx, chromedp.SetValue(`#seed`, "4"))
	do(t, ctx, chromedp.SendKeys(`#question`, "And it came to pass"+kb.Enter))
	do(t, ctx, chromedp.WaitVisible(`.turn.assistant`))
	do(t, ctx, chromedp.WaitEnabled(`#send`))
	assert.NotEmpty(t, do(t, ctx, chromedp.Text(`.turn.assistant span`)))
	assert.Contains(t, do(t, ctx, chromedp.Text(`#speed`)), "tokens/s")
	assert.Contains(t, do(t, ctx, chromedp.Text(`#heat-summary`)), "layer 5: expert")
	assert.Greater(t, do(t, ctx, chromedp.Evaluate[int](`heat.flat().filter(Boolean).length`)), 40)
	assert.Equal(t, "question", do(t, ctx, chromedp.Evaluate[string](`document.activeElement.id`)), "the focus is back at the question")
	if file := os.Getenv("SWITCHYARD_SCREENSHOT"); file != "" {
		require.NoError(t, os.WriteFile(file, do(t, ctx, chromedp.FullScreenshot(100)), 0o600))
	}
	do(t, ctx, chromedp.SetValue(`#max_tokens`, "400"))
	do(t, ctx, chromedp.SendKeys(`#question`, "And"+kb.Enter))
	do(t, ctx, chromedp.WaitVisible(`.turn:nth-child(4)`))
	do(t, ctx, chromedp.KeyEvent(kb.Escape))
	do(t, ctx, chromedp.WaitEnabled(`#send`))
	assert.Equal(t, 4, do(t, ctx, chromedp.Evaluate[int](`document.querySelectorAll(".turn").length`)))
	do(t, ctx, chromedp.SetValue(`#gate`, "nonsense"))
	do(t, ctx, chromedp.SendKeys(`#question`, "x"+kb.Enter))
	do(t, ctx, chromedp.WaitVisible(`.turn.error`))
	assert.Contains(t, do(t, ctx, chromedp.Text(`.turn.error span`)), "gate")
}

// do runs one step in the browser.
func do[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	v, err := chromedp.Run(ctx, a)
	require.NoError(t, err)
	return v
}
