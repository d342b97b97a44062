package route_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/route"
)

func mixture(t *testing.T) *model.Model {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func held(t *testing.T) []learn.Example {
	data, err := os.ReadFile("../testdata/kinds/held.jsonl")
	require.NoError(t, err)
	list, err := learn.ReadLines[learn.Example](bytes.NewReader(data))
	require.NoError(t, err)
	return list
}

// The figure of the router inside the binary, on prompts of documents that neither it nor the model was trained on.
func TestBuiltinKindsOnHeldOutPrompts(t *testing.T) {
	k, err := route.BuiltinKinds(mixture(t))
	require.NoError(t, err)
	list := held(t)
	require.Len(t, list, 1200)
	right, matched, of := 0, 0, map[string]int{}
	for _, x := range list {
		d, err := k.Decide(context.Background(), x.Text)
		require.NoError(t, err)
		of[x.Label]++
		if d.Kind == x.Label {
			right++
		}
		if d.Reason == route.ReasonExperts {
			matched++
			require.Equal(t, d.Kind, d.Model)
		}
	}
	require.Len(t, of, 8)
	require.GreaterOrEqual(t, float64(right)/1200, 0.985, "of %v", of)
	require.GreaterOrEqual(t, float64(matched)/1200, 0.95)
}

func TestBuiltinKindsOnShortPrompts(t *testing.T) {
	k, err := route.BuiltinKinds(mixture(t))
	require.NoError(t, err)
	for prompt, kind := range map[string]string{
		"func main() {": "code", "3 * 9 =": "sums", "railway (n):": "dictionary", "My fellow citizens,": "speech",
		"Au commencement, Dieu créa les cieux et la terre.": "french", "Wie spät ist es?": "german", "type Point struct { X, Y int }": "code",
		"O Romeo, Romeo! wherefore art thou Romeo?": "play", "And it came to pass": "scripture",
	} {
		d, err := k.Decide(context.Background(), prompt)
		require.NoError(t, err)
		require.Equal(t, kind, d.Kind, prompt)
		require.Len(t, d.Experts, 6)
		sum := 0.0
		for _, p := range d.Kinds {
			sum += p
		}
		require.InDelta(t, 1, sum, 1e-5)
		require.Len(t, d.Evidence, 5)
		require.GreaterOrEqual(t, d.Evidence[0].Adds, d.Evidence[1].Adds)
	}
	d, err := k.Decide(context.Background(), "")
	require.NoError(t, err)
	require.Equal(t, route.ReasonEmpty, d.Reason)
	require.Equal(t, route.Default, d.Model)
}

// Prompts as people write them, of no kind or of one: a wrong kind is never named, and the clear ones are.
func TestBuiltinKindsOnPromptsOfAllSorts(t *testing.T) {
	k, err := route.BuiltinKinds(mixture(t))
	require.NoError(t, err)
	for kind, prompts := range map[string][]string{
		route.Default: {
			"hello", "hi", "thanks!", "yes", "ok", "What is the capital of France?", "Summarise this email for me please.", "How do I bake sourdough bread?",
			"今日は天気がいいですね。", "你好，世界", "오늘 날씨가 좋네요.", "Какая сегодня погода?", "¿Qué hora es?", "asdfgh qwerty", "???", "🙂🙂",
			"Can you write a poem about the sea?", `Translate "good morning" into German.`, "The mitochondria is the powerhouse of the cell.",
		},
		"code": {"func main() {", "def f(x): return x + 1", `{"name": "x"}`, "if err != nil {", "type Point struct { X, Y int }"},
		"sums": {"3 * 9 =", "12 + 7 = 19"}, "dictionary": {"railway (n):"}, "speech": {"My fellow citizens,"},
		"french": {"Au commencement, Dieu créa les cieux et la terre."}, "german": {"Wie spät ist es?", "Im Anfang schuf Gott Himmel und Erde."},
	} {
		for _, p := range prompts {
			d, err := k.Decide(context.Background(), p)
			require.NoError(t, err)
			require.Equal(t, kind, d.Model, "%s: %s %.2f", p, d.Kind, d.Confidence)
			if kind == route.Default {
				require.Equal(t, route.ReasonNoMatch, d.Reason, p)
			}
		}
	}
	// of a kind, and too short or too rare to be sure of: no kind, or theirs
	for p, kind := range map[string]string{
		"And it came to pass": "scripture", "The Lord is my shepherd; I shall not want.": "scripture", "O Romeo, Romeo! wherefore art thou Romeo?": "play",
		"Four score and seven years ago our fathers brought forth": "speech", "Où est la gare la plus proche ?": "french", "SELECT * FROM users": "code",
	} {
		d, err := k.Decide(context.Background(), p)
		require.NoError(t, err)
		require.Contains(t, []string{kind, route.Default}, d.Model, "%s: %s %.2f", p, d.Kind, d.Confidence)
	}
}

func TestTrainKinds(t *testing.T) {
	ctx, m := context.Background(), mixture(t)
	var part []learn.Example
	for i, x := range held(t) {
		if i%6 == 0 {
			part = append(part, x)
		}
	}
	k, report, err := route.TrainKinds(ctx, engine(t), m, part, route.KindsOptions{})
	require.NoError(t, err)
	require.Equal(t, 200, report.Examples)
	path := filepath.Join(t.TempDir(), "kinds.safetensors")
	require.NoError(t, k.Save(path))
	back, err := route.OpenKinds(path, m)
	require.NoError(t, err)
	a, err := k.Decide(ctx, part[0].Text)
	require.NoError(t, err)
	b, err := back.Decide(ctx, part[0].Text)
	require.NoError(t, err)
	require.Equal(t, a, b)
	other, err := model.Open("../testdata/goldens/mixtral", model.Options{})
	require.NoError(t, err)
	defer other.Close()
	_, err = route.OpenKinds(path, other)
	require.ErrorIs(t, err, learn.ErrFolder)
	for name, bad := range map[string][]learn.Example{"few": part[:5], "one label": part[:25], "blank": append(part[:30:30], learn.Example{Text: " ", Label: "x"})} {
		_, _, err = route.TrainKinds(ctx, engine(t), m, bad, route.KindsOptions{})
		require.ErrorIs(t, err, learn.ErrData, name)
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(data), `\"temperature\"`, `\"temperaturf\"`, 1)), 0o644))
	_, err = route.OpenKinds(path, m)
	require.ErrorIs(t, err, learn.ErrFolder)
}
