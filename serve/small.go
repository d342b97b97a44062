package serve

import (
	"net/http"
	"net/http/pprof"

	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// modelCard describes a model as /v1/models does.
type modelCard struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	State   string `json:"state"`
	Context int    `json:"max_model_len,omitempty"`
	Virtual bool   `json:"virtual,omitempty"` // it stands for others
}

func (s *Server) virtualCard(name string) modelCard {
	return modelCard{ID: name, Object: "model", Created: s.made.Unix(), OwnedBy: "switchyard", State: "ready", Virtual: true}
}

func (s *Server) card(m *served) modelCard {
	c := modelCard{ID: m.Name, Object: "model", Created: m.created, OwnedBy: "switchyard", State: m.state()}
	if l := m.now(); l != nil {
		c.Context = l.m.Context()
	}
	return c
}

func (s *Server) listModels(w http.ResponseWriter, r *http.Request) {
	list := []modelCard{}
	for _, name := range s.order {
		list = append(list, s.card(s.models[name]))
	}
	for _, name := range s.virtualOrder {
		list = append(list, s.virtualCard(name))
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
}

func (s *Server) oneModel(w http.ResponseWriter, r *http.Request) {
	m := s.models[r.PathValue("id")]
	if s.virtual[r.PathValue("id")] != nil {
		writeJSON(w, http.StatusOK, s.virtualCard(r.PathValue("id")))
		return
	}
	if m == nil {
		writeError(w, unknownModel(r.PathValue("id")))
		return
	}
	writeJSON(w, http.StatusOK, s.card(m))
}

// health is 200 once every model that is opened at start is open; 503 while they load and while the server drains.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	status, state := http.StatusOK, "ok"
	for _, name := range s.order {
		if st := s.models[name].state(); st != "ready" && !(s.opts.Lazy && st == "loading") {
			status, state = http.StatusServiceUnavailable, st
		}
	}
	if s.draining() {
		status, state = http.StatusServiceUnavailable, "draining"
	}
	writeJSON(w, status, map[string]string{"status": state})
}

// helper finds the model of /tokenize and /detokenize, which may be left out where there is one only.
func (s *Server) helper(r *http.Request, f *fields) (*live, error) {
	name := f.str("model", "")
	if name == "" && len(s.order) == 1 {
		name = s.order[0]
	}
	if err := f.done(); err != nil {
		return nil, err
	}
	return s.model(r, name)
}

// tokenize answers {"prompt": TEXT} or {"messages": […]} with ids, as vLLM does.
func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) {
	f, err := s.body(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	var msgs []message
	special, text := f.bool("add_special_tokens", true), f.str("prompt", "")
	if f.has("messages") {
		msgs = messages(f)
	} else if !f.has("prompt") {
		f.bad("prompt", "it is required")
	}
	l, err := s.helper(r, f)
	if err != nil {
		writeError(w, err)
		return
	}
	ids, err := l.tokenize(text, msgs, special)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"count": len(ids), "max_model_len": l.m.Context(), "tokens": ids})
}

func (l *live) tokenize(text string, msgs []message, special bool) ([]int32, error) {
	var ids []int32
	var err error
	switch {
	case msgs != nil:
		ids, _, err = l.render(msgs, nil, nil)
	case special:
		ids, err = l.m.EncodePrompt(text)
	default:
		ids, err = l.m.EncodeText(text)
	}
	if ids == nil {
		ids = []int32{}
	}
	return ids, err
}

// detokenize answers {"tokens": […]} with text.
func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) {
	f, err := s.body(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	var ids []int32
	if !f.decode("tokens", "a list of token ids", &ids) {
		f.bad("tokens", "it is required")
	}
	l, err := s.helper(r, f)
	if err != nil {
		writeError(w, err)
		return
	}
	var tok *tokenizer.Tokenizer
	if tok, err = l.m.Tokenizer(); err == nil {
		err = l.m.CheckIDs(ids)
	}
	if err != nil {
		writeError(w, named(err, "tokens"))
		return
	}
	text, err := tok.Decode(ids, false)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"prompt": text})
}

// profiles adds the runtime's profiles.
func (s *Server) profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", s.auth(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/profile", s.auth(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", s.auth(pprof.Symbol))
	mux.HandleFunc("GET /debug/pprof/trace", s.auth(pprof.Trace))
}
