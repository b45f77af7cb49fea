// What a Go program uses of its host: goroutines and timers, memory and its collection, files, and panics that
// are caught or end it. The arguments say how it ends: `panic`, `exit N`, `deadlock`.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

type element struct {
	Name   string  `json:"name"`
	Number int     `json:"number"`
	Weight float64 `json:"weight"`
}

func main() {
	start := time.Now()
	body, err := io.ReadAll(os.Stdin)
	fmt.Println("body", len(body), err, "arguments", os.Args[1:])
	goroutines()
	maps()
	texts()
	panics()
	memory()
	files()
	fmt.Println("slept", time.Since(start) >= 20*time.Millisecond)
	end(os.Args[1:])
}

// goroutines sends from fifty of them, each after its own time.
func goroutines() {
	var senders sync.WaitGroup
	squares := make(chan int, 16)
	for i := range 50 {
		senders.Add(1)
		go func() {
			defer senders.Done()
			time.Sleep(time.Duration(i%5) * time.Millisecond)
			squares <- i * i
		}()
	}
	go func() { senders.Wait(); close(squares) }()
	sum := 0
	for square := range squares {
		sum += square
	}
	fmt.Println("sum of squares", sum)
	select {
	case <-make(chan int):
		fmt.Println("received from nobody")
	case <-time.After(20 * time.Millisecond):
		fmt.Println("timed out")
	}
}

func maps() {
	count := map[string]int{}
	for i := range 20000 {
		count[fmt.Sprintf("k%d", i%977)]++
	}
	keys := make([]string, 0, len(count))
	for key := range count {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	fmt.Println("keys", len(keys), keys[0], count[keys[0]])
}

func texts() {
	given := []element{{"hydrogen", 1, 1.008}, {"ununennium", -2, 1e300}, {"plümbum", 82, -0.1}}
	text, err := json.Marshal(given)
	fmt.Println(string(text), err)
	var read []element
	err = json.Unmarshal(text, &read)
	fmt.Println(len(read), read[2].Name, err)
	err = json.Unmarshal([]byte(`[{"number": "one"}]`), &read)
	fmt.Println(err)
	address := regexp.MustCompile(`(\w+)@(\w+)\.com`)
	fmt.Println(address.FindAllStringSubmatch(strings.Repeat("to bob@example.com ", 3), -1))
}

// panics recovers from what Go's own checks find: none of it is a trap of WebAssembly.
func panics() {
	var nowhere *element
	var nothing map[string]int
	three := []int{1, 2, 3}
	for _, wrong := range []func(){
		func() { nothing["x"] = 1 },
		func() { nowhere.Number = 2 },
		func() { fmt.Println(three[len(os.Args)+5]) },
		func() { fmt.Println(1 / (len(three) - 3)) },
		func() { panic(errors.New("on purpose")) },
	} {
		func() {
			defer func() { fmt.Println("recovered:", recover()) }()
			wrong()
		}()
	}
}

// memory goes deep, on a stack that Go makes longer, and leaves much to be collected.
func memory() {
	var depth func(int) int
	depth = func(n int) int {
		if n == 0 {
			return 0
		}
		return 1 + depth(n-1)
	}
	fmt.Println("depth", depth(1000))
	var kept [][]byte
	for range 200 {
		kept = append(kept, make([]byte, 64<<10))
		if len(kept) > 20 {
			kept = kept[1:]
		}
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	fmt.Println("collected", memory.NumGC > 0)
}

func files() {
	fmt.Println("write", os.WriteFile("/tmp/x", []byte("hello"), 0o600))
	text, err := os.ReadFile("/tmp/x")
	fmt.Println("read", string(text), err)
	about, err := os.Stat("/tmp/x")
	fmt.Println("stat", about.Size(), about.Mode().IsRegular(), err)
	fmt.Println("rename", os.Rename("/tmp/x", "/tmp/y"), "remove", os.Remove("/tmp/y"))
	folder, err := os.MkdirTemp("/tmp", "d")
	fmt.Println("folder", err, os.WriteFile(folder+"/z", text, 0o600), os.RemoveAll(folder))
	_, err = os.ReadFile("/tmp/missing")
	fmt.Println(err, errors.Is(err, fs.ErrNotExist))
	here, err := os.Getwd()
	fmt.Println("working directory", here, err)
}

// end ends the program as the first argument says.
func end(arguments []string) {
	if len(arguments) == 0 {
		return
	}
	switch arguments[0] {
	case "panic":
		var nothing map[string]int
		nothing["x"] = 1
	case "exit":
		status, err := strconv.Atoi(arguments[1])
		if err != nil {
			panic(err)
		}
		os.Exit(status)
	case "deadlock":
		<-make(chan int)
	}
}
