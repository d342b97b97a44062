package serve

import (
	"math/rand/v2"
	"strconv"

	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// Limits of what one request may ask for.
const (
	maxChoices  = 128
	maxStops    = 16
	maxStopSize = 1024
	maxTop      = 20
	maxBias     = 1024
	maxTokens   = 1 << 30
)

// params are what chat and text completions have in common.
type params struct {
	model        string
	stream       bool
	includeUsage bool
	n            int
	seed         uint64
	req          engine.Request // sampling, stops, limits; a copy for each choice
	routing      string         // "": not wanted; base64, json, or live: counts in the chunks of a chat
	gate         string
	out          output
	scored       bool // tokens have log-probabilities whether or not the client sees them
}

// common reads the shared parameters.
func common(f *fields) params {
	p := params{model: f.str("model", "")}
	if p.model == "" {
		f.fail(badRequest("model", "you must provide a model parameter"))
	}
	p.stream = f.bool("stream", false)
	if o, ok := f.sub("stream_options"); ok {
		p.includeUsage = o.bool("include_usage", false)
		o.ignore("include_obfuscation", "continuous_usage_stats")
		if err := o.done(); err != nil {
			f.fail(asAPI(err))
		}
		if !p.stream {
			f.bad("stream_options", "only allowed when 'stream' is true")
		}
	}
	p.n = int(f.int("n", 1, 1, maxChoices))
	p.sampling(f)
	p.req.Stop = stops(f)
	p.extensions(f)
	f.ignore("user", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
	return p
}

// sampling reads what shapes the choice of tokens. Defaults are OpenAI's: temperature 1, everything else off.
func (p *params) sampling(f *fields) {
	s := &p.req.Sampling
	s.Temperature = f.float("temperature", 1, 0, 2)
	s.TopP = f.float("top_p", 1, 0, 1)
	if s.TopP == 0 {
		s.TopP = 1e-9 // the most likely token alone; the sampler's 0 is "all"
	}
	s.FrequencyPenalty = f.float("frequency_penalty", 0, -2, 2)
	s.PresencePenalty = f.float("presence_penalty", 0, -2, 2)
	s.TopK = int(max(0, f.int("top_k", 0, -1, 1<<30)))
	s.MinP = f.float("min_p", 0, 0, 1)
	s.RepeatPenalty = f.float("repetition_penalty", 1, 1e-3, 1e3)
	p.seed = rand.Uint64()
	if f.has("seed") {
		p.seed = uint64(f.int("seed", 0, -1<<62, 1<<62))
	}
	p.bias(f)
}

// bias reads {"id": -100 … 100}.
func (p *params) bias(f *fields) {
	var raw map[string]float64
	if !f.decode("logit_bias", "an object of token ids and numbers", &raw) {
		return
	}
	if len(raw) > maxBias {
		f.bad("logit_bias", "want at most %d entries, found %d", maxBias, len(raw))
		return
	}
	p.req.Sampling.Bias = make(map[int32]float64, len(raw))
	for key, v := range raw {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 || !(v >= -100 && v <= 100) {
			f.bad("logit_bias", "want token ids and numbers from -100 to 100, found %q: %g", clip(key, 40), v)
			return
		}
		p.req.Sampling.Bias[int32(id)] = v
	}
}

// stops reads a string or a list of strings.
func stops(f *fields) []string {
	data, ok := f.get("stop")
	if !ok {
		return nil
	}
	list, ok := stringOrList(data)
	if !ok {
		f.bad("stop", "want a string or a list of strings")
		return nil
	}
	if len(list) > maxStops {
		f.bad("stop", "want at most %d strings, found %d", maxStops, len(list))
		return nil
	}
	for _, s := range list {
		if s == "" || len(s) > maxStopSize {
			f.bad("stop", "want strings of 1 to %d bytes", maxStopSize)
			return nil
		}
	}
	return list
}

// extensions reads what OpenAI does not have.
func (p *params) extensions(f *fields) {
	p.req.IgnoreEOS = f.bool("ignore_eos", false)
	p.req.Special = !f.bool("skip_special_tokens", true)
	p.req.Priority = int(f.int("priority", 0, -1<<20, 1<<20))
	p.gate = f.str("gate", "")
	if data, ok := f.get("routing"); ok {
		switch string(data) {
		case "false":
		case "true", `"base64"`:
			p.routing = "base64"
		case `"json"`:
			p.routing = "json"
		case `"live"`:
			p.routing = "live"
		default:
			f.bad("routing", `want true, "base64", "json" or "live"`)
		}
	}
	p.req.Routing = p.routing != ""
}

// choice is the request of one of the n choices: the same but for the seed.
func (p *params) choice(i int, prompt []int32) engine.Request {
	r := p.req
	r.Prompt = prompt
	r.LogProbs = r.LogProbs || p.scored
	r.Sampling.Seed = p.seed + uint64(i)*0x9e3779b97f4a7c15
	return r
}
