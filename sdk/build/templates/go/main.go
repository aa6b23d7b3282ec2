package main

import (
	"fmt"
	"io"
	"net/http"

	"shallop"
)

// In a component, init is run for each request; main is for the native program.
func init() {
	shallop.Handle(http.HandlerFunc(answer))
}

func main() { shallop.Main() }

// answer greets the name in the query, and gives back what is posted.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		io.Copy(w, r.Body)
		return
	}
	name := r.FormValue("name")
	if name == "" {
		name = "world"
	}
	fmt.Fprintf(w, "hello, %s\n", name)
}
