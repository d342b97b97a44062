package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed2fbf7788/switchyard/route"
	"github.com/seed2fbf7788/switchyard/route/cascade"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/ledger"
	"github.com/seed2fbf7788/switchyard/route/policy"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// Virtual is a model that stands for others: each request goes where its table says, as far as guard and budget let it.
type Virtual struct {
	Name    string
	Table   *route.Table
	Rows    []VirtualRow  // beside those of the table
	Shadow  string        // where set: decisions are made, logged and counted, and this model answers
	Timeout time.Duration // of the table
	Private bool          // the table asks the guard
	All     bool          // signals read the whole conversation, not its last question
	Core    policy.Core
}

// VirtualRow says what a row of the table does beyond its name.
type VirtualRow struct {
	Cascade *cascade.Cascade // nil: none
	To      string           // the upstream where the cascade escalates
}

// Mix is what a server's virtual models need. Close is called when the last request of the server has ended.
type Mix struct {
	Virtual []*Virtual
	Replay  *Replay        // or nil
	Ledger  *ledger.Ledger // whose sums are among the metrics; or nil
	Close   func() error
}

// reasonShadow says that a model answers whatever the table has chosen.
const reasonShadow route.Reason = "shadow"

func (m *Mix) close() error {
	if m == nil || m.Close == nil {
		return nil
	}
	return m.Close()
}

// check holds the names of virtual models against each other and the models'.
func (m *Mix) check(models map[string]*served) error {
	if m == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, v := range m.Virtual {
		if _, model := models[v.Name]; model || v.Name == "" || seen[v.Name] {
			return fmt.Errorf("serve: names of virtual models: want each once, and not a model's, found %q", v.Name)
		}
		seen[v.Name] = true
	}
	return nil
}

// setMix takes the virtual models, and gives their cores the local ones.
func (s *Server) setMix(m *Mix) {
	s.virtual = map[string]*Virtual{}
	if m == nil {
		return
	}
	locals := map[string]policy.Local{}
	for name := range s.models {
		locals[name] = s.localModel(name)
	}
	for _, v := range m.Virtual {
		if v.Core.Locals = locals; v.Core.Guard != nil {
			v.Core.Guard = once{v.Core.Guard}
		}
		s.virtual[v.Name] = v
		s.virtualOrder = append(s.virtualOrder, v.Name)
	}
}

// asked is one request to a virtual model. Local answers find it in their context.
type asked struct {
	r      *http.Request
	p      *chatParams
	id     string
	scored bool // log-probabilities decide
	run    *run // of the local model that was asked last

	screened []byte // that the guard has read
	verdict  *guard.Verdict
}

type askedKey struct{}

// mixed is a request to a virtual model on its way.
type mixed struct {
	*asked
	s      *Server
	v      *Virtual
	chosen route.Choice // by the table
	took   time.Duration
	begun  time.Time
	size   int // characters
	text   string
	policy *policy.Run
	made   policy.Decision
	failed error
}

// mix decides on a request and starts it. body is what an upstream would be asked.
func (s *Server) mix(r *http.Request, v *Virtual, p *chatParams, body []byte, id string) (*mixed, error) {
	if s.draining() {
		return nil, engine.ErrDraining
	}
	x := &mixed{asked: &asked{r: r, p: p, id: id}, s: s, v: v, begun: time.Now()}
	x.decide(r.Context(), p.messages, body)
	target := x.target()
	x.scored = target.Cascade != nil
	ctx := context.WithValue(r.Context(), askedKey{}, x.asked)
	var err error
	x.policy, err = v.Core.Start(ctx, policy.Request{Body: body, Stream: p.stream, LocalOnly: p.staysLocal()}, target)
	if x.policy != nil {
		x.made = x.policy.Decision()
	}
	if err != nil {
		x.failed = x.none(err)
		x.close()
		return nil, x.failed
	}
	note(r, func(n *notes) { n.model = x.made.Model })
	return x, nil
}

// none takes what the policy says where no model answered: the error of the last one that was asked, where one was.
func (x *mixed) none(err error) error {
	var f *policy.Failed
	if !errors.As(err, &f) {
		return err
	}
	if x.made = f.Decision; errors.Is(err, policy.ErrNoModel) {
		return err
	}
	return f.Unwrap()
}

// decide asks the table.
func (x *mixed) decide(ctx context.Context, list []message, body []byte) {
	p := x.v.prompt(list)
	if x.v.Private { // the guard has a bound of its own
		p.Private = x.private(ctx, body)
	}
	limited, cancel := context.WithTimeout(ctx, x.v.Timeout)
	defer cancel()
	x.text, x.size = p.Text, p.Size
	x.chosen = x.v.Table.Choose(limited, &p)
	x.took = time.Since(x.begun)
	if err := x.chosen.Err; err != nil {
		x.s.opts.Log.Warn("router failed", "id", requestID(x.r), "virtual", x.v.Name, "error", err)
	}
}

// private says whether the guard finds something, or cannot read the request. What it says is kept for the policy.
func (x *mixed) private(ctx context.Context, body []byte) bool {
	if x.v.Core.Guard == nil {
		return true
	}
	d := x.v.Core.Guard.Screen(context.WithValue(ctx, askedKey{}, x.asked), body)
	return d.LocalOnly || len(d.Found) > 0
}

// once is a guard that reads a request once, whoever asks it.
type once struct{ policy.Screener }

// Screen implements policy.Screener.
func (g once) Screen(ctx context.Context, body []byte) guard.Verdict {
	a, ok := ctx.Value(askedKey{}).(*asked)
	if !ok {
		return g.Screener.Screen(ctx, body)
	}
	if a.verdict == nil || !bytes.Equal(a.screened, body) {
		v := g.Screener.Screen(ctx, body)
		a.verdict, a.screened = &v, body
	}
	return *a.verdict
}

// prompt is a conversation as signals read it.
func (v *Virtual) prompt(list []message) route.Prompt {
	var p route.Prompt
	var all []string
	for _, m := range list {
		if m.Content == nil {
			continue
		}
		p.Size += utf8.RuneCountInString(*m.Content)
		if m.Role == "user" {
			p.Text = *m.Content
		}
		all = append(all, *m.Content)
	}
	if v.All || p.Text == "" {
		p.Text = strings.Join(all, "\n")
	}
	return p
}

// staysLocal says whether a request asks for what only local models have.
func (p *chatParams) staysLocal() bool { return p.gate != "" || p.routing != "" || p.localTools }

// target is the table's choice as the policy takes it.
func (x *mixed) target() policy.Choice {
	c := policy.Choice{Model: x.chosen.Model, Confidence: x.chosen.Confidence, Threshold: x.chosen.Threshold, Reason: policy.Reason(x.chosen.Reason)}
	if x.v.Shadow != "" {
		return policy.Choice{Model: x.v.Shadow, Confidence: 1, Reason: policy.Reason(reasonShadow)}
	}
	if i := x.chosen.Row; i >= 0 && x.v.Rows[i].Cascade != nil {
		c.Local, c.Model, c.Cascade = c.Model, x.v.Rows[i].To, x.v.Rows[i].Cascade
	}
	return c
}

// headers tells the decision.
func (x *mixed) headers(w http.ResponseWriter) {
	h := w.Header()
	decision := x.chosen.Decision
	if x.v.Shadow != "" {
		h.Set("X-Switchyard-Shadow", x.chosen.Decision+"="+x.chosen.Model)
		decision = string(reasonShadow)
	}
	h.Set("X-Switchyard-Model", x.made.Model)
	h.Set("X-Switchyard-Decision", decision)
	h.Set("X-Switchyard-Confidence", fmt.Sprintf("%.3f", x.made.Confidence))
	h.Set("X-Switchyard-Reason", string(x.made.Reason))
}

// local says whether a local model answers, whose run is x.run then.
func (x *mixed) local() bool { return x.s.models[x.made.Model] != nil }

// source gives a local answer's news as the policy lets them through.
func (x *mixed) source(f func(news) error) error {
	for {
		e, ok := x.policy.Next()
		if !ok {
			return x.policy.Err()
		}
		if n, ok := e.Data.(news); ok {
			if err := f(n); err != nil {
				return err
			}
		}
	}
}

// answering is the run that a writer of local answers follows.
func (x *mixed) answering() *run {
	x.run.source = x.source
	return x.run
}

// decideLocally decides on text completions, which no upstream is asked for: where the table names one, the fallback answers.
func (s *Server) decideLocally(w http.ResponseWriter, r *http.Request, v *Virtual, list []prompt) string {
	var texts []string
	for _, p := range list {
		texts = append(texts, p.text)
	}
	text := strings.Join(texts, "\n")
	x := &mixed{asked: &asked{r: r}, s: s, v: v, begun: time.Now()}
	conversation := []message{{Role: "user", Content: &text}}
	body, _ := json.Marshal(map[string]any{"messages": conversation}) // strings of ours
	x.decide(r.Context(), conversation, body)
	t := x.target()
	x.made = policy.Decision{Model: t.Model, Outcome: policy.AnsweredHere, Reason: t.Reason, Confidence: t.Confidence, Asked: t.Model}
	if t.Cascade != nil {
		x.made.Model = t.Local
	}
	if s.models[x.made.Model] == nil {
		x.made.Model, x.made.Reason = v.Core.Fallback, policy.LocalOnly
	}
	x.headers(w)
	if v.Core.Budget != nil {
		v.Core.Budget.Count()
	}
	x.close()
	return x.made.Model
}

// close ends the request: it is counted and logged.
func (x *mixed) close() {
	if x.policy != nil {
		if x.failed == nil {
			x.failed = x.policy.Err()
		}
		x.policy.Close()
	}
	x.s.metrics.decided(x)
	x.s.replay(x)
}
