package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/seed2fbf7788/switchyard/route/budget"
	"github.com/seed2fbf7788/switchyard/route/cascade"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/ledger"
	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

// Request is a chat completion that is asked for.
type Request struct {
	Body      json.RawMessage // as the client sent it
	Stream    bool            // events as they come; else an upstream's answer is one event
	LocalOnly bool            // it must not leave, whatever the guard says
}

// Event is a piece of an answer.
type Event struct {
	Raw     json.RawMessage // as an upstream wrote it: a chunk, or the whole answer
	Text    string
	Finish  string
	LogProb float64 // natural, of the token
	Scored  bool    // there is a LogProb
	Usage   *price.Usage
	Data    any // of the local answerer's own
}

// Local answers here. An error before the first event lets another model answer; the sequence ends when ctx ends.
type Local interface {
	Answer(ctx context.Context, r Request) iter.Seq2[Event, error]
}

// LocalFunc is a function as a Local.
type LocalFunc func(ctx context.Context, r Request) iter.Seq2[Event, error]

// Answer implements Local.
func (f LocalFunc) Answer(ctx context.Context, r Request) iter.Seq2[Event, error] { return f(ctx, r) }

// Screener decides what may leave: a *guard.Policy. One that panics lets nothing go.
type Screener interface {
	Screen(ctx context.Context, body []byte) guard.Verdict
}

// Choice is where a router sends a request.
type Choice struct {
	Model      string           // a local model or an upstream
	Fallbacks  []string         // asked in turn where it fails, before Core.Fallback
	Local      string           // in a cascade: the local model that answers first; Model is the one to escalate to
	Cascade    *cascade.Cascade // nil: none
	Confidence float64
	Threshold  float64
	Reason     Reason // empty: Default
	Signals    map[string]float64
}

// Core carries out choices. Its fields must not be changed once it is in use; several Cores may share what they point to.
type Core struct {
	Locals    map[string]Local
	Upstreams map[string]*upstream.Upstream
	Guard     Screener       // nil: nothing leaves
	Budget    *budget.Budget // nil: no limit
	Ledger    *ledger.Ledger // nil: none is kept
	Reference string         // the upstream whose prices say what a local answer saved; empty: nothing is saved
	Fallback  string         // the model that answers where all others fail, and where the router is broken
	Report    func(error)    // told what does not concern the client, such as a ledger that cannot be written; nil: nobody
}

// Outcome is who answered.
type Outcome string

// The outcomes.
const (
	AnsweredHere Outcome = "local"
	Escalated    Outcome = "escalated"
	FellBack     Outcome = "fallback" // another model than the chosen one, which failed
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome { return []Outcome{AnsweredHere, Escalated, FellBack} }

// Reason says why a model answered, from a closed list.
type Reason string

// Reasons that a router gives.
const (
	ByRule         Reason = "rule"
	ByExample      Reason = "example"
	ByKind         Reason = "kind"
	BelowThreshold Reason = "below_threshold"
	AboveThreshold Reason = "above_threshold"
	NoMatch        Reason = "no_match"
	Named          Reason = "named" // the client asked for the model
	Default        Reason = "default"
)

// Reasons that carrying out a choice gives in the place of the router's.
const (
	LocalOnly        Reason = "local_only"
	Private          Reason = "private"      // the guard found something
	GuardFailed      Reason = "guard_failed" // or could not read the request
	BudgetShare      Reason = "budget_share"
	BudgetMoney      Reason = "budget_money"
	UpstreamFailed   Reason = "upstream_failed"
	UpstreamCooling  Reason = "upstream_cooling"
	LocalFailed      Reason = "local_failed"
	RouterFailed     Reason = "router_failed"
	CascadeConfident Reason = "cascade_confident"
	CascadeUnsure    Reason = "cascade_unsure"
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{
		ByRule, ByExample, ByKind, BelowThreshold, AboveThreshold, NoMatch, Named, Default, LocalOnly, Private, GuardFailed, BudgetShare,
		BudgetMoney, UpstreamFailed, UpstreamCooling, LocalFailed, RouterFailed, CascadeConfident, CascadeUnsure,
	}
}

// Try is a model that did not answer.
type Try struct {
	Model  string `json:"model"`
	Reason Reason `json:"reason"`
	Error  string `json:"error,omitempty"` // an upstream.Kind
}

// Decision is what was done with a request. It holds no text of it.
type Decision struct {
	Model      string             `json:"model"`
	Outcome    Outcome            `json:"decision"`
	Reason     Reason             `json:"reason"`
	Confidence float64            `json:"confidence"`
	Threshold  float64            `json:"threshold"`
	Score      *float64           `json:"score,omitempty"` // of a cascade, where it is finite
	Signals    map[string]float64 `json:"signals,omitempty"`
	Asked      string             `json:"asked"` // the model that was chosen
	Tried      []Try              `json:"tried,omitempty"`
	Guard      *guard.Decision    `json:"guard,omitempty"` // nil: nothing was to leave
}

// Failed is returned where no model answered.
type Failed struct {
	Decision Decision // Model is empty
	err      error    // of the last model
}

// ErrNoModel is returned for a request that no model may or can answer.
var ErrNoModel = errors.New("no model for the request")

// Error implements error.
func (f *Failed) Error() string { return fmt.Sprintf("no answer (%s): %v", f.Decision.Reason, f.err) }

// Unwrap is the error of the last model that was asked.
func (f *Failed) Unwrap() error { return f.err }
