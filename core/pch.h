// Standard headers that most files use, parsed once (Makefile: PCH): each object compiles a second faster. No file includes
// this one, and each includes what it uses, so that every file also compiles by itself (`make tidy` parses all but the tests
// that way).
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>
