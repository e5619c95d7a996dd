// Standard headers that most files use, parsed once (Makefile: PCH): each object compiles a second faster. No file includes
// this one, and each includes what it uses, so that every file also compiles by itself (`make tidy` parses all but the tests
// that way).
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>
