package serve

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"

	"github.com/seed2fbf7788/switchyard/model"
)

const maxInputs = 2048

// embedding is one vector of an answer: numbers, or base64 of little-endian f32.
type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

// embedParams are those of /v1/embeddings.
type embedParams struct {
	model      string
	inputs     []prompt
	base64     bool
	dimensions int // 0: what the model has
}

func readEmbed(f *fields) (embedParams, error) {
	p := embedParams{model: f.str("model", "")}
	if p.model == "" {
		f.fail(badRequest("model", "you must provide a model parameter"))
	}
	p.inputs = textsOrIDs(f, "input", maxInputs)
	for _, in := range p.inputs {
		if in.text == "" && len(in.ids) == 0 {
			f.bad("input", "want texts that are not empty")
		}
	}
	switch format := f.str("encoding_format", "float"); format {
	case "float":
	case "base64":
		p.base64 = true
	default:
		f.bad("encoding_format", "want float or base64, found %q", clip(format, 40))
	}
	p.dimensions = int(f.int("dimensions", 0, 1, 1<<20))
	f.ignore("user")
	return p, f.done()
}

// embeddings answers POST /v1/embeddings for encoders.
func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) {
	f, err := s.body(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	p, err := readEmbed(f)
	if err != nil {
		writeError(w, err)
		return
	}
	e, err := s.encoder(r, p.model)
	if err != nil {
		writeError(w, err)
		return
	}
	answer, err := p.answer(r, e)
	if err != nil {
		writeError(w, named(err, "input"))
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// encoder finds an encoder by name.
func (s *Server) encoder(r *http.Request, name string) (*model.Encoder, error) {
	m, err := s.opened(r, name)
	if err != nil {
		return nil, err
	}
	if m.encoder == nil {
		e := badRequest("model", "The model %q generates text and gives no embeddings.", name)
		e.Code = "unsupported_model"
		return nil, e
	}
	return m.encoder, nil
}

func (p *embedParams) answer(r *http.Request, e *model.Encoder) (map[string]any, error) {
	if p.dimensions > 0 && p.dimensions != e.Dim() {
		return nil, unsupported("dimensions", "Unsupported value: this model's embeddings have %d dimensions.", e.Dim())
	}
	tokens, ids := 0, make([][]int32, len(p.inputs))
	for i, in := range p.inputs {
		if ids[i] = in.ids; in.ids == nil {
			var err error
			if ids[i], err = e.EncodeText(in.text); err != nil {
				return nil, err
			}
		}
		tokens += len(ids[i])
	}
	vectors, err := e.EmbedIDs(r.Context(), ids)
	if err != nil {
		return nil, err
	}
	note(r, func(n *notes) { n.model, n.prompt = p.model, tokens })
	list := make([]embedding, len(vectors))
	for i, v := range vectors {
		list[i] = embedding{"embedding", i, v}
		if p.base64 {
			list[i].Embedding = encode32(v)
		}
	}
	return map[string]any{"object": "list", "data": list, "model": p.model, "usage": map[string]int{"prompt_tokens": tokens, "total_tokens": tokens}}, nil
}

// encode32 is base64 of little-endian f32.
func encode32(v []float32) string {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// generator refuses encoders where text is to be generated.
func generator(m *served) (*live, error) {
	if m.live == nil {
		e := badRequest("model", "The model %q gives embeddings and generates no text.", m.Name)
		e.Code = "unsupported_model"
		return nil, e
	}
	return m.live, nil
}
