package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/seed2fbf7788/switchyard/route/budget"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/policy"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

func ExampleCore() {
	elsewhere := httptest.NewServer(http.HandlerFunc(answer))
	defer elsewhere.Close()
	big, _ := upstream.New(upstream.Options{Name: "big", BaseURL: elsewhere.URL, Model: "big-1"})
	screen, _ := guard.NewPolicy(guard.New(guard.Options{Words: []string{"Blue Heron"}}), guard.PolicyOptions{})
	share, _ := budget.New(budget.Options{Share: 0.5})
	c := &policy.Core{
		Locals:    map[string]policy.Local{"small": tokens(-0.1, "small ", "answer")},
		Upstreams: map[string]*upstream.Upstream{"big": big},
		Guard:     screen, Budget: share, Fallback: "small",
	}
	for _, text := range []string{"Is 91 prime?", "What is Blue Heron?", "Is 97 prime?", "Is 99 prime?", "Is 101 prime?"} {
		body, _ := json.Marshal(map[string]any{"messages": []map[string]string{{"role": "user", "content": text}}})
		run, err := c.Start(context.Background(), policy.Request{Body: body}, policy.Choice{Model: "big", Reason: policy.AboveThreshold})
		if err != nil {
			fmt.Println(err)
			continue
		}
		answer, _ := all(run)
		d := run.Decision()
		fmt.Println(d.Model, d.Outcome, d.Reason, "-", answer)
	}
	// Output:
	// big escalated above_threshold - big answer
	// small local private - small answer
	// big escalated above_threshold - big answer
	// big escalated above_threshold - big answer
	// small local budget_share - small answer
}
