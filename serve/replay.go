package serve

import (
	"encoding/json"
	"os"
	"sync"
	"time"

	"github.com/seed2fbf7788/switchyard/route"
	"github.com/seed2fbf7788/switchyard/route/policy"
)

// Replay is a log of decisions: a JSON object a line. It is safe for concurrent use.
type Replay struct {
	mu      sync.Mutex
	path    string
	file    *os.File
	Prompts bool // the text that was decided on is logged too
}

// OpenReplay opens a log for appending; only the owner may read it.
func OpenReplay(path string, prompts bool) (*Replay, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Replay{path: path, file: file, Prompts: prompts}, nil
}

// Close closes the file.
func (l *Replay) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// replayed is a line. Nothing in it is of the request's text but prompt.
type replayed struct {
	Time       time.Time                `json:"time"`
	ID         string                   `json:"id"`
	Virtual    string                   `json:"virtual"`
	Decision   string                   `json:"decision"` // of the table
	Chosen     string                   `json:"chosen"`   // by the table
	Why        route.Reason             `json:"why"`      // the table chose it
	Label      string                   `json:"label,omitempty"`
	Confidence float64                  `json:"confidence"`
	Threshold  float64                  `json:"threshold,omitempty"`
	Signals    map[string]route.Reading `json:"signals,omitempty"`
	Model      string                   `json:"model"` // that answered
	Outcome    policy.Outcome           `json:"outcome"`
	Reason     policy.Reason            `json:"reason"` // it answered
	Shadow     bool                     `json:"shadow,omitempty"`
	Characters int                      `json:"characters"`
	Deciding   float64                  `json:"decision_seconds"`
	Seconds    float64                  `json:"seconds"`
	In         int64                    `json:"prompt_tokens"`
	Out        int64                    `json:"completion_tokens"`
	Failed     string                   `json:"failed,omitempty"`
	Prompt     string                   `json:"prompt,omitempty"`
}

// replay logs a request that has ended.
func (s *Server) replay(x *mixed) {
	if s.opts.Mix == nil || s.opts.Mix.Replay == nil {
		return
	}
	l := s.opts.Mix.Replay
	e := replayed{Time: x.begun.UTC(), ID: requestID(x.r), Virtual: x.v.Name, Decision: x.chosen.Decision, Chosen: x.chosen.Model, Why: x.chosen.Reason,
		Label: x.chosen.Label, Confidence: x.chosen.Confidence, Threshold: x.chosen.Threshold, Signals: x.chosen.Readings, Model: x.made.Model,
		Outcome: x.made.Outcome, Reason: x.made.Reason, Shadow: x.v.Shadow != "", Characters: x.size, Deciding: x.took.Seconds(), Seconds: time.Since(x.begun).Seconds()}
	if x.policy != nil {
		u, _ := x.policy.Usage()
		e.In, e.Out = u.In, u.Out
	}
	if x.failed != nil {
		e.Failed = asAPI(x.failed).Code
		if e.Failed == "" {
			e.Failed = "failed"
		}
	}
	if l.Prompts {
		e.Prompt = x.text
	}
	if err := l.add(e); err != nil {
		s.opts.Log.Error("replay log", "error", err)
	}
}

// add writes a line at once, whole or not at all as far as the system goes.
func (l *Replay) add(e replayed) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.file.Write(append(line, '\n'))
	return err
}
