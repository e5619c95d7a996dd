// Small files that ask for much work: each must be refused, or done, within the bounds of hostile.cpp.
#pragma once

#include <string>

bool budgets_hold(const std::string& folder);  // prints what does not
