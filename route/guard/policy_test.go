package guard_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/guard"
)

func policy(t *testing.T, mode guard.Mode) *guard.Policy {
	p, err := guard.NewPolicy(private(), guard.PolicyOptions{Mode: mode, Timeout: time.Minute})
	require.NoError(t, err)
	return p
}

func say(text string) string {
	data, _ := json.Marshal(text)
	return `{"model":"m","messages":[{"role":"user","content":` + string(data) + `}]}`
}

// places are requests that hold the address a@b.de, or a card number, somewhere; redactable says that it can be taken out.
var places = []struct {
	body       string
	redactable bool
}{
	{`{"messages":[{"role":"user","content":"write to a@b.de"}]}`, true},
	{`{"messages":[{"role":"user","content":"write to a\u0040b.de"}]}`, true},
	{`{"messages":[{"role":"user","name":"a@b.de","content":"hi"}]}`, true},
	{`{"messages":[{"role":"system","content":"you are a@b.de"},{"role":"user","content":"hi"}]}`, true},
	{`{"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"text","text":"a@b.de"}]}]}`, true},
	{`{"messages":[{"role":"user","content":[{"type":"text","text":"write to a@"},{"type":"text","text":"b.de please"}]}]}`, false},
	{`{"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"mail","arguments":"{\"to\":\"a@b.de\"}"}}]}]}`, true},
	{`{"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"mail","arguments":"{\"to\":\"a\\u0040b.de\"}"}}]}]}`, false},
	{`{"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":"{\"to\":\"a\\u0040b.de\"} and cut"}}]}]}`, false},
	{`{"messages":[{"role":"tool","tool_call_id":"1","content":"{\"deep\":\"[\\\"a\\\\u0040b.de\\\"]\"}"}]}`, false},
	{`{"messages":[],"tools":[{"type":"function","function":{"name":"f","description":"mails a@b.de","parameters":{}}}]}`, true},
	{`{"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"a@b.de":{}}}}}]}`, false},
	{`{"messages":[],"response_format":{"json_schema":{"schema":{"enum":["x","a@b.de"]}}}}`, true},
	{`{"messages":[],"stop":["a@b.de"]}`, true},
	{`{"messages":[],"user":"a@b.de"}`, true},
	{`{"messages":[],"metadata":{"a@b.de":"x"}}`, false},
	{`{"messages":[{"role":"user","content":"a@b.de","content":"hi"}]}`, true},
	{`{"messages":[{"role":"user","content":"hi"}],"seed":4111111111111111}`, false},
	{`{"messages":[{"role":"user","content":"card 4111 1111 1111 1111"}]}`, true},
	{`{"messages":[{"role":"user","content":"card ４１１１１１１１１１１１１１１１"}]}`, false},
	{`{"messages":[{"role":"user","content":"card 4111\u200b1111\u200b1111\u200b1111"}]}`, false},
	{`{"messages":[{"role":"user","content":"card ٤١١١١١١١١١١١١١١١"}]}`, false},
	{`{"messages":[{"role":"user","content":"card 4111\u20111111\u20111111\u20111111"}]}`, false},
	{`{"messages":[{"role":"user","content":"a\u00ad@b.de or a＠b.de"}]}`, false},
	{`{"messages":[{"role":"user","content":"A C\u200dM E? ac\u00adme!"}]}`, false},
	{`{"messages":[{"role":"user","content":"blue\u00a0heron"}]}`, false},
	{`{"messages":[],"metadata":{"password":"hunter2hunter2"}}`, false},
	{`[{"role":"user","content":"a@b.de"}]`, true},
	{`"a@b.de"`, true},
}

func TestPrivateDataAnywhereStays(t *testing.T) {
	local, redact := policy(t, guard.ModeLocalOnly), policy(t, guard.ModeRedact)
	for _, c := range places {
		v := local.Screen(t.Context(), []byte(c.body))
		require.True(t, v.LocalOnly, c.body)
		require.Equal(t, guard.ReasonFound, v.Reason, c.body)
		require.NotEmpty(t, v.Found)
		require.False(t, v.Cleared.OK())
		require.Empty(t, v.Cleared.Body())

		v = redact.Screen(t.Context(), []byte(c.body))
		require.Equal(t, c.redactable, v.Cleared.OK(), "%s: %s", c.body, v.Cleared.Body())
		require.Equal(t, c.redactable, !v.LocalOnly, c.body)
		if c.redactable {
			require.Equal(t, guard.ReasonRedacted, v.Reason)
			require.NotContains(t, string(v.Cleared.Body()), "a@b.de")
			require.NotContains(t, string(v.Cleared.Body()), "4111")
			require.Equal(t, guard.ReasonClean, local.Screen(t.Context(), v.Cleared.Body()).Reason)
		}
	}
}

func TestFoundCountsEachOnce(t *testing.T) {
	v := policy(t, "").Screen(t.Context(), []byte(`{"messages":[{"role":"user","content":[{"type":"text","text":"a@b.de"},{"type":"text","text":"c@d.org"}]}]}`))
	require.Equal(t, map[guard.Kind]int{guard.Email: 2}, v.Found)
}

func TestRedactedBodyKeepsTheRest(t *testing.T) {
	body := `{"model":"m","seed":12345678901234567890,"temperature":1.50,"messages":[{"role":"user","content":"<b>&\n a@b.de é 😀"}],"logit_bias":{"50256":-100}}`
	v := policy(t, guard.ModeRedact).Screen(t.Context(), []byte(body))
	require.JSONEq(t, strings.Replace(body, "a@b.de", "[EMAIL]", 1), string(v.Cleared.Body()))
	require.Contains(t, string(v.Cleared.Body()), "12345678901234567890")
	require.Contains(t, string(v.Cleared.Body()), "<b>&")
}

func TestCleanRequestsLeaveAsTheyAre(t *testing.T) {
	for _, mode := range guard.Modes() {
		for _, body := range []string{
			say("What is a router?"), say("func main() {"), say(""), say("data: {\"a\":1}\n\ndata: [DONE]"), say(`{"content":[{"type":"image_url"}]}`),
			`{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"temperature":0.7,"max_tokens":4096,"stream":true,"seed":42}`,
			`{"messages":[{"role":"tool","content":"{\"temperature\": 21.5, \"at\": \"2026-11-25T12:00:00Z\"}"}],"tools":[{"type":"function","function":{"name":"get","parameters":{"type":"object","properties":{"content":{"type":"string"}}}}}]}`,
		} {
			sent := []byte(body)
			v := policy(t, mode).Screen(t.Context(), sent)
			require.False(t, v.LocalOnly, "%s: %s", body, v.Reason)
			clear(sent)
			require.Equal(t, body, string(v.Cleared.Body()), "what was cleared is a copy: nobody changes it afterwards")
		}
	}
}

func TestWhatCannotBeReadStays(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	image := `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.org/a.png"}}]}]}`
	small, err := guard.NewPolicy(guard.New(guard.Options{MaxBytes: 100}), guard.PolicyOptions{Mode: guard.ModeRedact})
	require.NoError(t, err)
	late, err := guard.NewPolicy(nil, guard.PolicyOptions{Mode: guard.ModeRedact, Timeout: time.Nanosecond})
	require.NoError(t, err)
	p := policy(t, guard.ModeRedact)
	for name, c := range map[string]struct {
		p    *guard.Policy
		ctx  context.Context
		body string
		want guard.Reason
	}{
		"nil policy":        {nil, t.Context(), say("hi"), guard.ReasonFailed},
		"zero policy":       {&guard.Policy{}, t.Context(), say("hi"), guard.ReasonFailed},
		"canceled":          {p, canceled, say("hi"), guard.ReasonTimeout},
		"time-out":          {late, t.Context(), say("hi"), guard.ReasonTimeout},
		"not UTF-8":         {p, t.Context(), say("a") + "\xff", guard.ReasonText},
		"too large":         {small, t.Context(), say(strings.Repeat("a ", 100)), guard.ReasonTooLarge},
		"no JSON":           {p, t.Context(), `{"messages":`, guard.ReasonUnreadable},
		"nothing":           {p, t.Context(), ``, guard.ReasonUnreadable},
		"more than JSON":    {p, t.Context(), `{} {}`, guard.ReasonUnreadable},
		"rubbish behind":    {p, t.Context(), `{}x`, guard.ReasonUnreadable},
		"deep":              {p, t.Context(), strings.Repeat("[", 5000) + strings.Repeat("]", 5000), guard.ReasonUnreadable},
		"an image":          {p, t.Context(), image, guard.ReasonUnreadable},
		"a part of no type": {p, t.Context(), `{"messages":[{"content":[{"text":"hi"}]}]}`, guard.ReasonUnreadable},
		"a data URL":        {p, t.Context(), say("data:image/png;base64,iVBORw0KGgo="), guard.ReasonUnreadable},
	} {
		v := c.p.Screen(c.ctx, []byte(c.body))
		require.Equal(t, guard.Verdict{Decision: guard.Decision{LocalOnly: true, Reason: c.want}}, v, name)
		require.Contains(t, guard.Reasons(), v.Reason)
	}
}

func TestModes(t *testing.T) {
	_, err := guard.NewPolicy(nil, guard.PolicyOptions{Mode: "of"})
	require.ErrorIs(t, err, guard.ErrMode)
	require.ErrorContains(t, err, `"of"`)
	v := policy(t, guard.ModeOff).Screen(t.Context(), []byte(say("a@b.de")))
	require.Equal(t, guard.ReasonOff, v.Reason)
	require.Equal(t, say("a@b.de"), string(v.Cleared.Body()))
}

func TestOwnPatterns(t *testing.T) {
	order, err := guard.NewPattern("order_number", `\bA-[0-9]{4}\b`)
	require.NoError(t, err)
	salary, err := guard.NewPattern("salary", `(?i)salary of ([0-9]+)`)
	require.NoError(t, err)
	g := guard.New(guard.Options{Patterns: []guard.Pattern{order, salary, {}}})
	text := "order A-1234 of a@b.de, a Salary of 5000, B-1234"
	require.Equal(t, "order [ORDER_NUMBER] of [EMAIL], a Salary of [SALARY], B-1234", g.Redact(text))
	require.Equal(t, map[guard.Kind]int{"order_number": 1, "salary": 1, guard.Email: 1}, g.Check(text).Found)
	for name, expression := range map[string]string{"": "a", "Order": "a", "a b": "a", "email": "a", "a": "[", "b": "x*", "c": ""} {
		_, err := guard.NewPattern(name, expression)
		require.ErrorIs(t, err, guard.ErrPattern, name)
	}
}

func TestReadWords(t *testing.T) {
	words, err := guard.ReadWords(strings.NewReader("# names\n\n  Blue   Heron \nacme\r\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"Blue   Heron", "acme"}, words)
	for _, bad := range []string{"a\n\xff", strings.Repeat("a", 1000), "ok\n" + strings.Repeat("a", 1<<20)} {
		_, err := guard.ReadWords(strings.NewReader(bad))
		require.Error(t, err)
	}
}

func TestMegabyteIsScreenedInTime(t *testing.T) {
	p, err := guard.NewPolicy(private(), guard.PolicyOptions{})
	require.NoError(t, err)
	text := strings.Repeat("The quick brown fox, 12 of them, jumps over the lazy dog at 7. ", 1<<20/63)
	begin := time.Now()
	v := p.Screen(t.Context(), []byte(say(text)))
	t.Logf("1 MiB of prose: %v", time.Since(begin))
	require.Contains(t, []guard.Reason{guard.ReasonClean, guard.ReasonTimeout}, v.Reason)
}

// A text that is made of findings of several kinds, and a list of many words, take no longer than their length.
func TestManyFindingsAndWords(t *testing.T) {
	var words []string
	for i := range 10_000 {
		words = append(words, "codename"+strconv.Itoa(i))
	}
	p, err := guard.NewPolicy(guard.New(guard.Options{Words: words}), guard.PolicyOptions{Mode: guard.ModeRedact, Timeout: time.Minute})
	require.NoError(t, err)
	text := strings.Repeat("a@b.de 4111111111111111 +49 30 901820 ", 1<<17/38) + "CODENAME4711"
	begin := time.Now()
	v := p.Screen(t.Context(), []byte(say(text)))
	require.Equal(t, guard.ReasonRedacted, v.Reason)
	require.Equal(t, 1<<17/38, v.Found[guard.Email])
	require.Equal(t, 1<<17/38, v.Found[guard.Card])
	require.Equal(t, 1, v.Found[guard.Word])
	require.NotRegexp(t, `[0-9]{2}|@|(?i)codename`, string(v.Cleared.Body()))
	require.Less(t, time.Since(begin), 20*time.Second)
}

func FuzzScreen(f *testing.F) {
	for _, c := range places {
		f.Add([]byte(c.body))
	}
	f.Add([]byte(say("hi")))
	local, _ := guard.NewPolicy(private(), guard.PolicyOptions{Timeout: time.Minute})
	redact, _ := guard.NewPolicy(private(), guard.PolicyOptions{Mode: guard.ModeRedact, Timeout: time.Minute})
	f.Fuzz(func(t *testing.T, body []byte) {
		v := local.Screen(t.Context(), body)
		require.NotEqual(t, guard.ReasonFailed, v.Reason)
		require.Equal(t, v.LocalOnly, !v.Cleared.OK())
		if v.Cleared.OK() {
			require.Equal(t, body, v.Cleared.Body())
			require.True(t, json.Valid(body))
		}
		r := redact.Screen(t.Context(), body)
		require.NotEqual(t, guard.ReasonFailed, r.Reason)
		if r.Cleared.OK() {
			require.False(t, local.Screen(t.Context(), r.Cleared.Body()).LocalOnly)
		}
	})
}
