# What `cmake --install` lays out: header, library, command, a CMake package and a pkg-config file. Both of
# these find the rest from where they lie, so an installed tree may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fovea)

install(TARGETS fovea EXPORT fovea-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  PUBLIC_HEADER DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS fovea_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES LICENSE TYPE DOC)

# The command finds a shared library beside it.
file(RELATIVE_PATH lib_from_bin ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
set_target_properties(fovea_command PROPERTIES INSTALL_RPATH "$ORIGIN/${lib_from_bin}")

# find_package(fovea) -> fovea::fovea. Who links the static library also needs what it was built with.
set(FOVEA_FIND_DEPENDENCIES "")
get_target_property(type fovea TYPE)
if(type STREQUAL "STATIC_LIBRARY")
  foreach(name IN LISTS FOVEA_CMAKE_NEEDS)
    string(APPEND FOVEA_FIND_DEPENDENCIES "find_dependency(${name})\n")
  endforeach()
endif()
configure_package_config_file(cmake/fovea-config.cmake.in ${PROJECT_BINARY_DIR}/generated/fovea-config.cmake
  INSTALL_DESTINATION ${cmake_dir} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/fovea-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/generated/fovea-config.cmake
  ${PROJECT_BINARY_DIR}/generated/fovea-config-version.cmake DESTINATION ${cmake_dir})
install(EXPORT fovea-targets NAMESPACE fovea:: DESTINATION ${cmake_dir})

# pkg-config fovea; with --static where the library is.
file(RELATIVE_PATH FOVEA_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" FOVEA_PC_PREFIX "${FOVEA_PC_PREFIX}")
configure_file(cmake/fovea.pc.in ${PROJECT_BINARY_DIR}/generated/fovea.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/generated/fovea.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
