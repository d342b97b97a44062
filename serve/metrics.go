package serve

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/route/price"
)

// metrics are the server's own; nothing is registered globally.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // route, status
	duration *prometheus.HistogramVec // route
	first    *prometheus.HistogramVec // model
	between  *prometheus.HistogramVec
	whole    *prometheus.HistogramVec
	compile  *prometheus.HistogramVec
	finished *prometheus.CounterVec // model, reason
	decision *prometheus.CounterVec // virtual, decision, model, outcome, reason
	shadows  *prometheus.CounterVec // virtual, decision, model
	deciding *prometheus.HistogramVec

	current atomic.Pointer[Server] // whose engines are read
}

// keepMetrics are those of the server before, whose counts go on; without one they begin.
func (s *Server) keepMetrics() *metrics {
	if s != nil {
		return s.metrics
	}
	return newMetrics()
}

func newMetrics() *metrics {
	long := prometheus.ExponentialBuckets(0.001, 2, 18) // 1 ms to 131 s
	short := prometheus.ExponentialBuckets(0.0005, 2, 14)
	hist := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	count := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: count("switchyard_http_requests_total", "HTTP requests by route and status.", "route", "status"),
		duration: hist("switchyard_http_request_duration_seconds", "Time from a request's arrival to the end of its answer.", long, "route"),
		first:    hist("switchyard_time_to_first_token_seconds", "Time from the submission of a text to its first token.", long, "model"),
		between:  hist("switchyard_inter_token_latency_seconds", "Time between two tokens of a text.", short, "model"),
		whole:    hist("switchyard_e2e_request_latency_seconds", "Time from the submission of a text to its last token.", long, "model"),
		compile:  hist("switchyard_grammar_compile_seconds", "Time to compile, or to find, the grammar of a request.", short, "model"),
		decision: count("switchyard_decisions_total", "Requests to virtual models, by the route that took them, the model that answered and why.", "virtual", "decision", "model", "outcome", "reason"),
		shadows:  count("switchyard_shadow_decisions_total", "What a virtual model in shadow mode would have done.", "virtual", "decision", "model"),
		deciding: hist("switchyard_decision_seconds", "Time that a decision takes.", prometheus.ExponentialBuckets(0.00001, 2.5, 14), "virtual"),
		finished: count("switchyard_texts_total", "Texts by the reason of their end: stop, length, error.", "model", "reason"),
	}
	m.registry.MustRegister(m.requests, m.duration, m.first, m.between, m.whole, m.compile, m.finished, m.decision, m.shadows, m.deciding, &states{m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) request(route string, status int, d time.Duration) {
	if route == "" || route == "/" {
		route = "other" // paths are the client's: they must not become labels
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route).Observe(d.Seconds())
}

// token takes the time of a token; last is that of the one before, zero for the first.
func (m *metrics) token(name string, arrived, last, now time.Time) {
	switch {
	case now.IsZero(): // text that a token before it left behind
	case last.IsZero():
		m.first.WithLabelValues(name).Observe(now.Sub(arrived).Seconds())
	default:
		m.between.WithLabelValues(name).Observe(now.Sub(last).Seconds())
	}
}

func (m *metrics) ended(name string, arrived time.Time, finish model.Finish, err error) {
	reason := string(finish)
	if err != nil {
		reason = "error"
	}
	m.finished.WithLabelValues(name, reason).Inc()
	m.whole.WithLabelValues(name).Observe(time.Since(arrived).Seconds())
}

// decided counts a request to a virtual model. All labels are from the configuration or from closed lists.
func (m *metrics) decided(x *mixed) {
	decision, outcome := x.chosen.Decision, string(x.made.Outcome)
	if x.v.Shadow != "" {
		m.shadows.WithLabelValues(x.v.Name, decision, x.chosen.Model).Inc()
		decision = string(reasonShadow)
	}
	if x.failed != nil && outcome == "" {
		outcome = "failed"
	}
	m.decision.WithLabelValues(x.v.Name, decision, x.made.Model, outcome, string(x.made.Reason)).Inc()
	m.deciding.WithLabelValues(x.v.Name).Observe(x.took.Seconds())
}

// states reads the engines when metrics are asked for. Names with vllm: are those that the Gateway API inference extension
// reads from a model server by default.
type states struct{ *metrics }

type stateDesc struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(l *live) float64
}

func stateDescs() []stateDesc {
	label := []string{"model"}
	gauge := func(name, help string, of func(l *live) float64) stateDesc {
		return stateDesc{prometheus.NewDesc(name, help, label, nil), prometheus.GaugeValue, of}
	}
	counter := func(name, help string, of func(l *live) float64) stateDesc {
		return stateDesc{prometheus.NewDesc(name, help, label, nil), prometheus.CounterValue, of}
	}
	waiting := func(l *live) float64 { return float64(l.e.Stats().Waiting) }
	running := func(l *live) float64 { return float64(l.e.Stats().Running) }
	usage := func(l *live) float64 {
		st := l.e.Stats()
		return float64(st.Pages-st.Idle) / float64(st.PageLimit)
	}
	return []stateDesc{
		gauge("switchyard_requests_waiting", "Texts in the queue.", waiting),
		gauge("vllm:num_requests_waiting", "Texts in the queue.", waiting),
		gauge("switchyard_requests_running", "Texts that are computed.", running),
		gauge("vllm:num_requests_running", "Texts that are computed.", running),
		gauge("switchyard_kv_cache_usage_ratio", "Share of the KV cache that texts hold; pages only kept for later do not count.", usage),
		gauge("vllm:kv_cache_usage_perc", "Share of the KV cache that texts hold, 1 is all.", usage),
		gauge("switchyard_kv_cache_kept_pages", "Pages that are only kept for later texts.", func(l *live) float64 { return float64(l.e.Stats().Idle) }),
		counter("switchyard_prompt_tokens_total", "Tokens of prompts, computed or shared.", func(l *live) float64 { return float64(l.e.Stats().PromptTokens) }),
		counter("switchyard_prefix_hit_tokens_total", "Tokens of prompts that were shared with earlier texts.", func(l *live) float64 { return float64(l.e.Stats().SharedTokens) }),
		counter("switchyard_generated_tokens_total", "Tokens that were generated.", func(l *live) float64 { return float64(l.e.Stats().GeneratedTokens) }),
		counter("switchyard_requests_set_back_total", "Texts that gave their cache to older ones and were computed again.", func(l *live) float64 { return float64(l.e.Stats().SetBack) }),
		counter("switchyard_steps_total", "Forward passes.", func(l *live) float64 { return float64(l.e.Stats().Steps) }),
		counter("switchyard_step_seconds_total", "Time in forward passes.", func(l *live) float64 { return l.e.Stats().StepSeconds }),
	}
}

var (
	descLoad  = prometheus.NewDesc("switchyard_expert_tokens_total", "(token, slot) pairs that an expert has had.", []string{"model", "layer", "expert"}, nil)
	descCost  = prometheus.NewDesc("switchyard_model_cost_total", "Money that answers have cost, in the unit of the prices.", []string{"model"}, nil)
	descSaved = prometheus.NewDesc("switchyard_model_saved_total", "Money that local answers have saved.", []string{"model"}, nil)
	descCache = prometheus.NewDesc("vllm:cache_config_info", "Shape of the KV cache.", []string{"model", "block_size", "num_gpu_blocks"}, nil)
)

// Describe implements prometheus.Collector.
func (c *states) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range stateDescs() {
		ch <- d.desc
	}
	ch <- descLoad
	ch <- descCache
	ch <- descCost
	ch <- descSaved
}

// money tells the ledger's sums of each model.
func (m *Mix) money(ch chan<- prometheus.Metric) {
	if m == nil || m.Ledger == nil {
		return
	}
	for name, by := range m.Ledger.Snapshot().Models {
		var cost, saved price.Money
		for _, sums := range by {
			cost, saved = cost.Plus(sums.Cost), saved.Plus(sums.Saved)
		}
		ch <- prometheus.MustNewConstMetric(descCost, prometheus.CounterValue, cost.Units(), name)
		ch <- prometheus.MustNewConstMetric(descSaved, prometheus.CounterValue, saved.Units(), name)
	}
}

// Collect implements prometheus.Collector.
func (c *states) Collect(ch chan<- prometheus.Metric) {
	s := c.current.Load()
	if s == nil {
		return
	}
	s.opts.Mix.money(ch)
	for _, name := range s.order {
		l := s.models[name].now()
		if l == nil {
			continue
		}
		for _, d := range stateDescs() {
			ch <- prometheus.MustNewConstMetric(d.desc, d.kind, d.of(l), name)
		}
		pages := strconv.Itoa(l.e.Stats().PageLimit)
		ch <- prometheus.MustNewConstMetric(descCache, prometheus.GaugeValue, 1, name, strconv.Itoa(model.PageTokens), pages)
		for layer, counts := range l.e.Load() {
			for expert, n := range counts {
				ch <- prometheus.MustNewConstMetric(descLoad, prometheus.CounterValue, float64(n), name, strconv.Itoa(layer), strconv.Itoa(expert))
			}
		}
	}
}
